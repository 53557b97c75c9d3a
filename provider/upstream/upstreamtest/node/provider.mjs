// An OpenID provider of somebody else's, set up as a company would: one client with a
// secret, one with a key, people with groups, and its own pages for signing in.
import { Provider } from 'oidc-provider';

const { ISSUER, REDIRECT, JWKS } = process.env;

const client = {
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  redirect_uris: [REDIRECT],
  post_logout_redirect_uris: [REDIRECT],
};

// Whoever comes is somebody, unless they have left the company.
const gone = new Set();

const provider = new Provider(ISSUER, {
  clients: [
    { ...client, client_id: 'keyway', client_secret: 'p/w:1' },
    { ...client, client_id: 'signed', token_endpoint_auth_method: 'private_key_jwt', jwks: JSON.parse(JWKS), id_token_signed_response_alg: 'ES256' },
  ],
  pkce: { required: () => true },
  cookies: { keys: ['of no secrecy'] },
  jwks: { keys: JSON.parse(process.env.KEYS) },
  scopes: ['openid', 'offline_access', 'profile', 'email'],
  claims: { openid: ['sub'], profile: ['name', 'groups'], email: ['email', 'email_verified'] },
  features: { rpInitiatedLogout: { enabled: true }, devInteractions: { enabled: true } },
  rotateRefreshToken: true,
  ttl: { AccessToken: 60, AuthorizationCode: 60, IdToken: 60, RefreshToken: 600, Grant: 600, Interaction: 600, Session: 600 },
  findAccount: (_, id) => gone.has(id) ? undefined : {
    accountId: id,
    claims: () => ({ sub: id, name: `${id} of the company`, groups: ['staff'], email: `${id}@corp.example`, email_verified: true }),
  },
});

provider.use(async (ctx, next) => {
  if (ctx.path === '/leaves') {
    gone.add(ctx.query.who);
    ctx.status = 204;
    return;
  }
  await next();
});

const { port } = new URL(ISSUER);
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
