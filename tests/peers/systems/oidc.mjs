// An OAuth 2 / OpenID Connect server, and an API that takes its tokens. Started by oidc.py, which gives the settings.
import fs from 'node:fs';
import https from 'node:https';

const settings = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const { Provider } = await import(settings.modules + '/oidc-provider/lib/index.js');

const tls = settings.tls;
const mtls = tls ? {
  enabled: true, certificateBoundAccessTokens: true, tlsClientAuth: true,
  getCertificate: (ctx) => ctx.req.socket.getPeerX509Certificate?.()?.toString(),
  certificateAuthorized: (ctx) => ctx.req.socket.authorized,
  certificateSubjectMatches: (ctx, property, expected) =>
    property === 'tls_client_auth_subject_dn' && ctx.req.socket.getPeerX509Certificate().subject === expected,
} : { enabled: false };

const provider = new Provider(settings.issuer, {
  clients: settings.clients,
  clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt', ...(tls ? ['tls_client_auth'] : [])],
  scopes: ['openid', 'offline_access', 'api:read', 'api:write'],
  findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  pkce: { required: () => true },
  features: {
    clientCredentials: { enabled: true }, introspection: { enabled: true }, revocation: { enabled: true },
    dPoP: { enabled: true }, deviceFlow: { enabled: true }, mTLS: mtls, pushedAuthorizationRequests: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (ctx) => (ctx.oidc?.params?.scope ?? '').split(' ').includes('openid') ? undefined : 'urn:api',
      getResourceServerInfo: () => ({
        scope: 'api:read api:write', accessTokenFormat: tls ? 'jwt' : 'opaque', accessTokenTTL: settings.ttl,
        ...(tls ? { jwt: { sign: { alg: 'RS256' } } } : {}),
      }),
    },
  },
  ttl: {
    AccessToken: settings.ttl, ClientCredentials: settings.ttl, RefreshToken: 600, Interaction: 600, Session: 600,
    Grant: 600, IdToken: 600, DeviceCode: 600,
  },
  issueRefreshToken: async () => true,
  rotateRefreshToken: true,
});

// The API: twelve items in pages of five, for an opaque token that is valid now. What was counted tells a test how
// often tokens were asked for.
const counted = {};
provider.use(async (ctx, next) => {
  counted[ctx.path] = (counted[ctx.path] ?? 0) + 1;
  if (ctx.path === '/counted') { ctx.body = counted; return; }
  if (ctx.path !== '/api/items') { await next(); return; }
  const token = /^Bearer (.+)$/.exec(ctx.get('authorization'))?.[1];
  const found = token && (await provider.ClientCredentials.find(token) ?? await provider.AccessToken.find(token));
  if (!found?.isValid) { ctx.status = 401; ctx.set('WWW-Authenticate', 'Bearer error="invalid_token"'); ctx.body = { error: 'invalid_token' }; return; }
  const page = Number(ctx.query.page ?? 1);
  const ids = [...Array(12).keys()].map((n) => n + 1).slice((page - 1) * 5, page * 5);
  ctx.body = { data: ids.map((id) => ({ id, name: `item ${id}` })) };
});

if (tls) {
  const files = { key: fs.readFileSync(tls.key), cert: fs.readFileSync(tls.certificate), ca: fs.readFileSync(tls.ca) };
  https.createServer({ ...files, requestCert: true, rejectUnauthorized: false }, provider.callback()).listen(settings.port, '127.0.0.1');
} else {
  provider.listen(settings.port, '127.0.0.1');
}
