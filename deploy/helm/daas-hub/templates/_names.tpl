{{- define "daas.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "daas.labels" -}}
app.kubernetes.io/name: daas-hub
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: daas-hub
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* what never changes for the pods of one part: (dict "root" . "part" "hub") */}}
{{- define "daas.selector" -}}
app.kubernetes.io/name: daas-hub
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end -}}

{{/* labels that choose the pod of the hub or the proxy, also those of another chart: (dict "root" . "part" "hub") */}}
{{- define "daas.peer" -}}
{{- if .root.Values.existingHub.enabled -}}
{{- toJson (index .root.Values.existingHub (printf "%sLabels" .part)) -}}
{{- else -}}
{{- include "daas.selector" . | fromYaml | toJson -}}
{{- end -}}
{{- end -}}

{{- define "daas.serviceAccount" -}}
{{- if .Values.existingHub.enabled -}}{{ .Values.existingHub.serviceAccount }}{{- else -}}{{ include "daas.name" . }}-hub{{- end -}}
{{- end -}}

{{- define "daas.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "daas.secret" -}}
{{- .Values.secrets.existing | default (printf "%s-hub" (include "daas.name" .)) -}}
{{- end -}}

{{/* one place in a cluster's shared names: PriorityClass, admission policies */}}
{{- define "daas.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "daas.name" .) -}}
{{- end -}}

{{/* the values of `sessions` for one place: (dict "root" . "place" (dict ...)) */}}
{{- define "daas.sessionsOf" -}}
{{- mergeOverwrite (deepCopy .root.Values.sessions) (deepCopy (.place.sessions | default dict)) | toJson -}}
{{- end -}}

{{/* the values of `sessions` for each namespace of this cluster, as a list; two places may share one */}}
{{- define "daas.namespaces" -}}
{{- $found := list }}{{ $seen := dict }}{{ $names := list }}
{{- range $place := .Values.places | default (list (dict "name" "")) }}
{{- if has $place.name $names }}{{ fail (printf "places has %s twice." $place.name) }}{{ end }}
{{- $names = append $names $place.name }}
{{- if not $place.cluster }}
{{- $sessions := include "daas.sessionsOf" (dict "root" $ "place" $place) | fromJson }}
{{- $namespace := $sessions.namespace.name }}
{{- if eq $namespace $.Release.Namespace }}
{{- fail "sessions.namespace.name is the hub's own namespace: a session's rights must not reach the hub's secrets. Name another." }}
{{- end }}
{{- if not (hasKey $seen $namespace) }}
{{- $_ := set $seen $namespace $sessions }}
{{- $found = append $found $sessions }}
{{- else if not (deepEqual $sessions (get $seen $namespace)) }}
{{- fail (printf "Two places have the namespace %s, and other values of sessions: there is one set of policies for a namespace." $namespace) }}
{{- end }}
{{- end }}
{{- end }}
{{- toJson $found -}}
{{- end -}}

{{/* what changes while a portal runs: in a file, because an environment would restart the proxy, which interrupts desktops */}}
{{- define "daas.sessionsFile" -}}
{{- $sessions := pick .Values.sessions "nodeStorage" "pullSecrets" "egressAddresses" -}}
{{- merge (dict "places" (include "daas.places" . | fromJsonArray)) $sessions | toJson -}}
{{- end -}}

{{/* the places for the configuration; of `sessions`, what a place says itself */}}
{{- define "daas.places" -}}
{{- $found := list }}
{{- range $place := .Values.places }}
{{- $sessions := include "daas.sessionsOf" (dict "root" $ "place" $place) | fromJson }}
{{- $own := dict }}
{{- range $key := keys ($place.sessions | default dict) }}{{ $_ := set $own $key (get $sessions $key) }}{{ end }}
{{- $found = append $found (merge (dict "sessions" $own) $place) }}
{{- end }}
{{- toJson $found -}}
{{- end -}}

{{/* what belongs to one namespace among a cluster's shared names: (dict "root" . "namespace" "daas-sessions") */}}
{{- define "daas.clusterNameOf" -}}
{{- $kind := ternary "sessions" .namespace (eq .namespace .root.Values.sessions.namespace.name) -}}
{{- printf "%s-%s" (include "daas.clusterName" .root) $kind -}}
{{- end -}}

{{/* peers of network policies from which sessions are reached, or which they reach: (dict "root" . "part" "hub") */}}
{{- define "daas.peers" -}}
{{- $found := list }}
{{- if .root.Values.existingHub.addresses }}
{{- range .root.Values.existingHub.addresses }}{{ $found = append $found (dict "ipBlock" (dict "cidr" .)) }}{{ end }}
{{- else }}
{{- $labels := include "daas.peer" (dict "root" .root "part" .part) | fromJson }}
{{- $namespace := dict "matchLabels" (dict "kubernetes.io/metadata.name" .root.Release.Namespace) }}
{{- $found = list (dict "namespaceSelector" $namespace "podSelector" (dict "matchLabels" $labels)) }}
{{- end }}
{{- toJson $found -}}
{{- end -}}

{{/* what every pod of ours is: nobody of the node, without a right of root */}}
{{- define "daas.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .Values.hub.runAsUser }}
runAsGroup: {{ .Values.hub.runAsUser }}
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "daas.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* what hub and proxy read: the configuration, the files next to it, and secrets as files of their own user */}}
{{- define "daas.configVolumes" -}}
- name: config
  projected:
    sources:
      - configMap: {name: {{ include "daas.name" . }}-config}
      - configMap:
          name: {{ include "daas.name" . }}-applications
          items:
            {{- range $name, $text := .Values.applications }}
            - {key: {{ $name }}, path: applications/{{ $name }}}
            {{- else }}
            - {key: none, path: applications/.none}
            {{- end }}
- name: tmp
  emptyDir: {medium: Memory, sizeLimit: 64Mi}
- name: secrets
  emptyDir: {medium: Memory, sizeLimit: 4Mi}
{{- end -}}

{{/* files that only root can read, as a volume from which they are copied; empty for none: (dict "root" . "part" "hub") */}}
{{- define "daas.secretFiles" -}}
{{- $sources := list }}
{{- with .root.Values.secrets.files }}{{ $sources = append $sources (dict "secret" (dict "name" .)) }}{{ end }}
{{- if eq .part "hub" }}
{{- range .root.Values.places }}
{{- if .cluster }}
{{- $item := dict "key" "config" "path" (printf "kubeconfig-%s" .name) }}
{{- $sources = append $sources (dict "secret" (dict "name" .cluster.kubeconfigSecret "items" (list $item))) }}
{{- end }}
{{- end }}
{{- end }}
{{- with $sources }}
- name: secret-files
  projected: {defaultMode: 0444, sources: {{ toJson . }}}
{{- end }}
{{- end -}}

{{- define "daas.configMounts" -}}
- {name: config, mountPath: /etc/daas-hub, readOnly: true}
- {name: secrets, mountPath: /run/daas-secrets, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- end -}}

{{/* Secrets of Kubernetes belong to root, and the hub reads only files that nobody else can: so they are copied */}}
{{- define "daas.copySecrets" -}}
- name: secrets
  image: {{ include "daas.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  command: [python, -c]
  args:
    - |
      import os, pathlib
      for source in pathlib.Path("/secret-files").iterdir():
          if source.is_file():
              target = os.open("/run/daas-secrets/" + source.name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
              os.write(target, source.read_bytes())
              os.close(target)
  securityContext: {{- include "daas.containerSecurity" . | nindent 4 }}
  resources: {requests: {cpu: 20m, memory: 32Mi}, limits: {cpu: 500m, memory: 64Mi}}
  volumeMounts:
    - {name: secret-files, mountPath: /secret-files, readOnly: true}
    - {name: secrets, mountPath: /run/daas-secrets}
{{- end -}}

{{/* what the chart's own lines of the configuration read; hub and proxy see each other from different ends */}}
{{- define "daas.environment" -}}
- {name: DAAS_PORTAL_URL, value: {{ printf "%s/" (trimSuffix "/" .Values.portal.url) | quote }}}
- {name: DAAS_PREFIX, value: {{ include "daas.prefix" . | quote }}}
- {name: DAAS_HUB_CONNECT, value: "http://{{ include "daas.name" . }}-hub:8081"}
- {name: DAAS_MIN_ID, value: {{ int64 .Values.sessions.minId | quote }}}
- {name: DAAS_MAX_ID, value: {{ int64 .Values.sessions.maxId | quote }}}
- {name: DAAS_SESSIONS_NAMESPACE, value: {{ .Values.sessions.namespace.name | quote }}}
- {name: DAAS_SESSION_PORT, value: {{ int .Values.sessions.port | quote }}}
- {name: DAAS_HUB_ID, value: {{ include "daas.name" . | quote }}}
- {name: DAAS_GATEWAY_PORT, value: {{ int .Values.sessions.gatewayPort | quote }}}
- {name: DAAS_PRIORITY_CLASS, value: {{ include "daas.priorityClass" . | quote }}}
- {name: HOME, value: /tmp}
- name: CONFIGPROXY_AUTH_TOKEN
  valueFrom: {secretKeyRef: {name: {{ include "daas.secret" . }}, key: proxy-token}}
{{- end -}}

{{- define "daas.prefix" -}}
{{- printf "%s/" (trimSuffix "/" (urlParse .Values.portal.url).path) -}}
{{- end -}}

{{/* the class of hub and proxy, as a line of their pods */}}
{{- define "daas.portalPriority" -}}
{{- if .Values.portal.priorityClass.create -}}
priorityClassName: {{ include "daas.clusterName" . }}-portal
{{- end -}}
{{- end -}}

{{- define "daas.priorityClass" -}}
{{- if .Values.sessions.priorityClass.create -}}{{ include "daas.clusterName" . }}-sessions{{- end -}}
{{- end -}}
