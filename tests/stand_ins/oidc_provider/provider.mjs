// A certified OpenID provider (npm oidc-provider) with a few people without passwords, on 127.0.0.1 only: for the tests,
// and for a facility that wants to try its configuration before it asks anybody for a client.
//
//   npm ci && node provider.mjs '{"port": 9001, "profile": "egi", "portal": "http://127.0.0.1:8000"}'
//
// Options (JSON, all but `port` with a default):
//   profile                   where claims are, as in authenticators/oidc/profiles.py: generic, keycloak, egi, eduteams, umbrella
//   issuer                    its own address, where a web server with TLS is before it; default: http://127.0.0.1:<port>
//   portal, name              the portal's address; the provider's name in its configuration ("" for the only one)
//   client_id, client_secret  as registered; basic_auth: the secret comes in a header
//   device                    whether its client may sign people in by a code (RFC 8628); the provider always can
//   access_token_s            how long an access token is good for
//   people                    {"sub": {"claim": value}}: more people, or other claims of the known ones
//
// POST /control/... (no password: it is a toy, and listens on loopback only):
//   keys/add         a new key signs from now on; the old one is still published
//   keys/withdraw    only the newest key is published
//   revoke?sub=      ends this person's grants: their refresh and access tokens are void
//   remove?sub=      as if the person had left
//   logout?sub=      signs the person out, and tells the portal so (back-channel logout)

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

// its modules may be installed elsewhere than beside this file
const modules = process.env.OIDC_PROVIDER_MODULES;
const require = createRequire(modules ? pathToFileURL(`${modules}/`) : import.meta.url);
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));

const options = {
  profile: 'generic', issuer: '', portal: 'http://127.0.0.1:8000', name: '', client_id: 'daas-hub', client_secret: 'not-a-secret',
  basic_auth: false, device: true, access_token_s: 3600, people: {}, ...JSON.parse(process.argv[2]),
};
const issuer = options.issuer || `http://127.0.0.1:${options.port}`;
// browsers ask for an icon otherwise
const HEAD = '<!doctype html><link rel="icon" href="data:,">';
// who asks for it gets a second factor, which nobody has to have here
const MFA = 'https://refeds.org/profile/mfa';
const BY_CODE = 'urn:ietf:params:oauth:grant-type:device_code';
const ending = options.name ? `/${options.name}` : '';

// what each kind of provider releases: claims by scope, and whether the id_token has them as well
const PLACES = {
  generic: { claims: { profile: ['name'] }, lean: true },
  keycloak: { claims: { profile: ['name', 'preferred_username', 'groups', 'uidNumber', 'gidNumber'] }, lean: false },
  egi: {
    claims: {
      profile: ['name', 'preferred_username'], voperson_id: ['voperson_id'],
      eduperson_entitlement: ['eduperson_entitlement'], eduperson_assurance: ['eduperson_assurance'],
    },
    lean: true,
  },
  eduteams: {
    claims: {
      profile: ['name'], eduperson_entitlement: ['eduperson_entitlement'], eduperson_assurance: ['eduperson_assurance'],
    },
    lean: true,
  },
  umbrella: { claims: { openid: ['EAAHash', 'uid'] }, lean: true },
}[options.profile];

function person(sub, name, more = {}) {
  return {
    name, preferred_username: sub, uid: sub,
    voperson_id: `${sub}0123456789abcdef@egi.eu`, EAAHash: `b0744680-2aa3-4000-8000-${sub.padEnd(12, '0').slice(0, 12)}`,
    eduperson_entitlement: ['urn:mace:egi.eu:group:ma-4242:role=member#aai.egi.eu'],
    eduperson_assurance: ['https://refeds.org/assurance/IAP/medium'],
    groups: ['/proposals/ma-4242'], uidNumber: '25001', gidNumber: '25001', ...more,
  };
}
const people = { anna: person('anna', 'Anna Lindqvist'), ben: person('ben', 'Ben Okafor') };
for (const [sub, more] of Object.entries(options.people)) people[sub] = { ...person(sub, sub), ...people[sub], ...more };

// everything it remembers, so that it outlives a change of keys
const store = new Map();
class Memory {
  constructor(model) { this.model = model; }
  key(id) { return `${this.model}:${id}`; }
  async upsert(id, payload, expiresIn) {
    store.set(this.key(id), { ...payload, until: expiresIn ? Date.now() + expiresIn * 1000 : Infinity });
  }
  async find(id) {
    const found = store.get(this.key(id));
    return found && found.until > Date.now() ? found : undefined;
  }
  async findByUid(uid) { return [...store.values()].find((one) => one.kind === this.model && one.uid === uid); }
  async findByUserCode(code) {
    return [...store.values()].find((one) => one.kind === this.model && one.userCode === code);
  }
  async consume(id) { store.get(this.key(id)).consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { store.delete(this.key(id)); }
  async revokeByGrantId(grantId) { for (const [key, one] of store) if (one.grantId === grantId) store.delete(key); }
}

function newKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' };
}
let keys = [newKey()];

function build() {
  const provider = new Provider(issuer, {
    adapter: Memory,
    jwks: { keys },
    clients: [{
      client_id: options.client_id,
      client_secret: options.client_secret,
      token_endpoint_auth_method: options.basic_auth ? 'client_secret_basic' : 'client_secret_post',
      grant_types: ['authorization_code', 'refresh_token', ...(options.device ? [BY_CODE] : [])],
      redirect_uris: [`${options.portal}/hub/oauth_callback${ending}`],
      post_logout_redirect_uris: [`${options.portal}/hub/logged-out`],
      backchannel_logout_uri: `${options.portal}/hub/oauth_backchannel_logout${ending}`,
      backchannel_logout_session_required: true,
    }],
    acrValues: [MFA],
    claims: { ...PLACES.claims, openid: ['sub', 'acr', 'amr', 'auth_time', ...(PLACES.claims.openid ?? [])] },
    conformIdTokenClaims: PLACES.lean,
    findAccount: (_, sub) => people[sub] && { accountId: sub, claims: () => ({ sub, ...people[sub] }) },
    issueRefreshToken: () => true,
    rotateRefreshToken: true,
    // whoever signs in has agreed to everything: there is no page for it
    loadExistingGrant: async (ctx) => {
      const { client, session, params } = ctx.oidc;
      const known = session.grantIdFor(client.clientId) && await provider.Grant.find(session.grantIdFor(client.clientId));
      const grant = known || new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope(params.scope);
      await grant.save();
      return grant;
    },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      deviceFlow: {
        enabled: true,
        userCodeInputSource: (ctx, form) => {
          ctx.body = `${HEAD}<title>Code</title>${form}<button form="op.deviceInputForm">Go on</button>`;
        },
        userCodeConfirmSource: (ctx, form, client, device, code) => {
          ctx.body = `${HEAD}<title>Code</title><p>${code}</p>${form}<button form="op.deviceConfirmForm">Yes</button>`
            + '<button form="op.deviceConfirmForm" name="abort" value="yes">No</button>';
        },
        successSource: (ctx) => { ctx.body = `${HEAD}<title>Signed in</title>`; },
      },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => {
          ctx.body = `${HEAD}<title>Sign out</title>${form}`
            + '<button form="op.logoutForm" name="logout" value="yes">Sign out here as well</button>';
        },
        postLogoutSuccessSource: (ctx) => { ctx.body = `${HEAD}<title>Signed out</title>`; },
      },
    },
    // it refuses to call this machine, as it should where strangers register clients; here the portal is on it
    fetch: (url, { dispatcher, ...more }) => globalThis.fetch(url, more),
    pkce: { required: () => true },
    // browsers send a cookie to every port of a host: two of these must not share them
    cookies: {
      keys: ['a-toy'],
      names: { session: `s${options.port}`, interaction: `i${options.port}`, resume: `r${options.port}` },
    },
    ttl: {
      AccessToken: options.access_token_s, AuthorizationCode: 60, IdToken: 300, RefreshToken: 86400, Grant: 86400,
      Interaction: 600, Session: 86400,
    },
    renderError: (ctx, out) => { ctx.type = 'html'; ctx.body = `${HEAD}<title>Error</title><p>${out.error}`; },
  });
  provider.proxy = Boolean(options.issuer);
  provider.on('server_error', (_, error) => console.error(error));
  return { provider, answer: provider.callback() };
}
let { provider, answer } = build();

async function signIn(request, response) {
  const { params } = await provider.interactionDetails(request, response);
  const strong = params.acr_values === MFA;
  if (request.method !== 'POST') {
    const buttons = Object.keys(people).map((sub) => `<button name="sub" value="${sub}">${people[sub].name}</button>`);
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.end(`${HEAD}<title>Sign in</title><h1>${options.profile}</h1><form method="post">${buttons.join(' ')}</form>`);
    return;
  }
  let body = '';
  for await (const chunk of request) body += chunk;
  const sub = new URLSearchParams(body).get('sub');
  await provider.interactionFinished(request, response, {
    login: { accountId: sub, amr: strong ? ['pwd', 'otp'] : ['pwd'], ...(strong ? { acr: MFA } : {}) },
  });
}

const control = {
  'keys/add': () => { keys = [newKey(), ...keys]; ({ provider, answer } = build()); },
  'keys/withdraw': () => { keys = keys.slice(0, 1); ({ provider, answer } = build()); },
  revoke: (sub) => {
    const grants = [...store.values()].filter((one) => one.kind === 'Grant' && one.accountId === sub).map((one) => one.jti);
    for (const [key, one] of store) if (grants.includes(one.grantId) || grants.includes(one.jti)) store.delete(key);
  },
  remove: (sub) => { delete people[sub]; },
  logout: async (sub) => {
    const client = await provider.Client.find(options.client_id);
    for (const [key, one] of store) {
      if (one.kind !== 'Session' || one.accountId !== sub) continue;
      store.delete(key);
      await client.backchannelLogout(sub, one.authorizations?.[options.client_id]?.sid);
    }
  },
};

createServer(async (request, response) => {
  const url = new URL(request.url, issuer);
  try {
    if (url.pathname.startsWith('/interaction/')) await signIn(request, response);
    else if (request.method === 'POST' && url.pathname.startsWith('/control/')) {
      await control[url.pathname.slice('/control/'.length)](url.searchParams.get('sub'));
      response.end();
    } else answer(request, response);
  } catch (error) {
    console.error(error);
    response.statusCode = 500;
    response.end();
  }
}).listen(options.port, '127.0.0.1', () => console.log(`listening: ${issuer}`));
