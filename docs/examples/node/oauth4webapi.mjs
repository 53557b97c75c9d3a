// An app that signs people in at an OpenID provider, with oauth4webapi. It
// knows the provider's URL and its own registration, and nothing else of the
// provider.
import * as oauth from 'oauth4webapi'
import { clientId, clientSecret, here, issuer, serve } from './server.mjs'

const app = { client_id: clientId }
const authentication = oauth.ClientSecretBasic(clientSecret)
// The library insists on https, which the demo has not.
const options = { [oauth.allowInsecureRequests]: issuer.protocol === 'http:' }
const provider = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, options))

const pages = {
  // Says who is signed in, as the provider's userinfo endpoint has it.
  async '/'(visit) {
    if (!visit.tokens) return { json: { signed_in: false } }
    const response = await oauth.userInfoRequest(provider, app, visit.tokens.access_token, options)
    return { json: await oauth.processUserInfoResponse(provider, app, visit.subject, response) }
  },

  async '/login'(visit) {
    visit.verifier = oauth.generateRandomCodeVerifier()
    visit.state = oauth.generateRandomState()
    visit.nonce = oauth.generateRandomNonce()
    const to = new URL(provider.authorization_endpoint)
    to.search = new URLSearchParams({
      client_id: app.client_id,
      redirect_uri: `${here}/callback`,
      response_type: 'code',
      scope: 'openid profile email offline_access',
      code_challenge: await oauth.calculatePKCECodeChallenge(visit.verifier),
      code_challenge_method: 'S256',
      state: visit.state,
      nonce: visit.nonce,
    })
    return { to }
  },

  async '/callback'(visit, url) {
    const { verifier, state, nonce } = visit
    delete visit.verifier // an answer is taken once
    if (!verifier) throw new Error('this answer is not for a sign-in that began in this browser')
    const answer = oauth.validateAuthResponse(provider, app, url, state)
    const response = await oauth.authorizationCodeGrantRequest(
      provider, app, authentication, answer, `${here}/callback`, verifier, options,
    )
    const checks = { expectedNonce: nonce, requireIdToken: true }
    visit.tokens = await oauth.processAuthorizationCodeResponse(provider, app, response, checks)
    await oauth.validateApplicationLevelSignature(provider, response, options)
    visit.subject = oauth.getValidatedIdTokenClaims(visit.tokens).sub
    return { to: '/' }
  },

  async '/refresh'(visit) {
    const response = await oauth.refreshTokenGrantRequest(provider, app, authentication, visit.tokens.refresh_token, options)
    const tokens = await oauth.processRefreshTokenResponse(provider, app, response)
    visit.tokens = { ...visit.tokens, ...tokens }
    return pages['/'](visit)
  },

  // Forgets the person here, then signs them out at the provider.
  async '/logout'(visit) {
    const to = new URL(provider.end_session_endpoint)
    to.search = new URLSearchParams({
      client_id: app.client_id,
      post_logout_redirect_uri: `${here}/`,
      ...(visit.tokens && { id_token_hint: visit.tokens.id_token }),
    })
    delete visit.tokens
    return { to }
  },
}

serve(pages)
