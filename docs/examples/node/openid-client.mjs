// An app that signs people in at an OpenID provider, with openid-client. It
// knows the provider's URL and its own registration, and nothing else of the
// provider.
import * as client from 'openid-client'
import { clientId, clientSecret, here, issuer, serve } from './server.mjs'

const provider = await client.discovery(
  issuer,
  clientId,
  clientSecret,
  undefined,
  // The library insists on https, which the demo has not.
  issuer.protocol === 'http:' ? { execute: [client.allowInsecureRequests] } : undefined,
)

const pages = {
  // Says who is signed in, as the provider's userinfo endpoint has it.
  async '/'(visit) {
    if (!visit.tokens) return { json: { signed_in: false } }
    return { json: await client.fetchUserInfo(provider, visit.tokens.access_token, visit.subject) }
  },

  async '/login'(visit) {
    visit.checks = {
      pkceCodeVerifier: client.randomPKCECodeVerifier(),
      expectedState: client.randomState(),
      expectedNonce: client.randomNonce(),
    }
    const to = client.buildAuthorizationUrl(provider, {
      redirect_uri: `${here}/callback`,
      scope: 'openid profile email offline_access',
      code_challenge: await client.calculatePKCECodeChallenge(visit.checks.pkceCodeVerifier),
      code_challenge_method: 'S256',
      state: visit.checks.expectedState,
      nonce: visit.checks.expectedNonce,
    })
    return { to }
  },

  async '/callback'(visit, url) {
    const { checks } = visit
    delete visit.checks // an answer is taken once
    if (!checks) throw new Error('this answer is not for a sign-in that began in this browser')
    visit.tokens = await client.authorizationCodeGrant(provider, url, checks)
    visit.subject = visit.tokens.claims().sub
    return { to: '/' }
  },

  async '/refresh'(visit) {
    const tokens = await client.refreshTokenGrant(provider, visit.tokens.refresh_token)
    visit.tokens = { ...visit.tokens, ...tokens }
    return pages['/'](visit)
  },

  // Forgets the person here, then signs them out at the provider.
  async '/logout'(visit) {
    const hint = visit.tokens?.id_token
    delete visit.tokens
    const to = client.buildEndSessionUrl(provider, {
      post_logout_redirect_uri: `${here}/`,
      ...(hint && { id_token_hint: hint }),
    })
    return { to }
  },
}

serve(pages)
