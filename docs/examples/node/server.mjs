// What the two apps beside this file share: a web server on node:http, with a
// place to remember each browser. It has nothing of OpenID Connect.
import { createServer } from 'node:http'
import { randomUUID } from 'node:crypto'

export const issuer = new URL(process.env.ISSUER ?? 'http://127.0.0.1:8080')
export const clientId = process.env.CLIENT_ID ?? 'demo-web'
export const clientSecret = process.env.CLIENT_SECRET ?? 'demo-web-secret-6f1d8f0c2a9b4e7d'

const port = Number(process.env.PORT ?? 8765)
export const here = `http://127.0.0.1:${port}`

const visits = new Map() // by the value of the cookie; a real app bounds and expires them

// serve calls the page of the path with the browser's visit and the URL. A page
// returns where to redirect to, or what to show as JSON.
export function serve(pages) {
  createServer(async (request, response) => {
    const url = new URL(request.url, here)
    let id = /(?:^|; )visit=([^;]+)/.exec(request.headers.cookie ?? '')?.[1]
    if (!visits.has(id)) visits.set((id = randomUUID()), {})
    response.setHeader('Set-Cookie', `visit=${id}; Path=/; HttpOnly; SameSite=Lax`) // and Secure where the app has https
    try {
      const page = Object.hasOwn(pages, url.pathname) && pages[url.pathname]
      if (!page) return response.writeHead(404).end()
      const { to, json } = await page(visits.get(id), url)
      if (to) return response.writeHead(303, { Location: String(to) }).end()
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(json))
    } catch (error) {
      console.error(error)
      response.writeHead(502).end(error.message)
    }
  }).listen(port, '127.0.0.1', () => console.log(`open ${here}/login`))
}
