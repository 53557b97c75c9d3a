"""An app that signs people in at an OpenID provider, with Authlib and Flask.

It knows the provider's URL and its own registration, and nothing else of the
provider.
"""

import os
import secrets
from urllib.parse import urlencode

from authlib.integrations.flask_client import OAuth
from flask import Flask, jsonify, redirect, session

issuer = os.environ.get("ISSUER", "http://127.0.0.1:8080")
port = int(os.environ.get("PORT", "8765"))
here = f"http://127.0.0.1:{port}"

app = Flask(__name__)
app.secret_key = secrets.token_bytes(32)

provider = OAuth(app).register(
    "provider",
    server_metadata_url=issuer + "/.well-known/openid-configuration",
    client_id=os.environ.get("CLIENT_ID", "demo-web"),
    client_secret=os.environ.get("CLIENT_SECRET", "demo-web-secret-6f1d8f0c2a9b4e7d"),
    client_kwargs={"scope": "openid profile email offline_access", "code_challenge_method": "S256"},
)

tokens = {}  # by the session's id; a real app bounds and expires them


@app.get("/")
def show():
    token = tokens.get(session.get("id"))
    if token is None:
        return jsonify(signed_in=False)
    return jsonify(provider.userinfo(token=token))


@app.get("/login")
def login():
    return provider.authorize_redirect(here + "/callback")


@app.get("/callback")
def callback():
    token = provider.authorize_access_token()  # verifies state, nonce and the ID token
    session["id"] = secrets.token_urlsafe()
    tokens[session["id"]] = token
    return redirect("/")


@app.get("/refresh")
def refresh():
    # Authlib does it by itself when the access token has expired.
    old = tokens[session["id"]]
    new = provider.fetch_access_token(grant_type="refresh_token", refresh_token=old["refresh_token"])
    tokens[session["id"]] = {**old, **new}
    return show()


@app.get("/logout")
def logout():
    token = tokens.pop(session.pop("id", None), {})
    end_session = provider.load_server_metadata()["end_session_endpoint"]
    return redirect(end_session + "?" + urlencode({
        "client_id": provider.client_id,
        "id_token_hint": token.get("id_token", ""),
        "post_logout_redirect_uri": here + "/",
    }))


if __name__ == "__main__":
    app.run(port=port)
