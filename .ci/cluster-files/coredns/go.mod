module daas-ci/coredns

go 1.26

require github.com/coredns/coredns v@VERSION@
