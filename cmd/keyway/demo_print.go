package main

import (
	"fmt"
	"io"
	"strings"
)

// demoCall is one legacy call of the demo, as it is printed and as it is tested.
type demoCall struct {
	Title string
	Args  string // of curl; $U stands for the demo's URL
}

const demoUnit = "EE63A82C4FEBE02FF34E90DD1EBA5ABE"

// demoCalls lists every legacy system and profile of the demo.
func demoCalls() []demoCall {
	calls := []demoCall{
		{"Faveo 1.10 (the document's)", "$U/api/v1/authenticate -d username=demoadmin -d password=demopass"},
	}
	for _, profile := range []string{"1.0", "1.9", "2.0", "pro"} {
		calls = append(calls, demoCall{"Faveo " + profile, "$U/faveo-" + profile + "/api/v1/authenticate -d username=demoadmin -d password=demopass"})
	}
	ossn := "/api/v1.0/user_authenticate -d username=administrator -d password=demopass -d api_key_token=" + demoOSSNKey
	crmcom := "/crmapi/rest/v2/authentication/token -H 'Content-Type: application/json' -d '"
	password := `{"username":"mpadministrator","password":"1234","organisation":"CRMDEMO","unit":"` + demoUnit + `"}'`
	payhub := "/user/login -H 'Content-Type: application/json' -d '" + `{"emailId":"merchant@example.com","password":"demopass"}'`
	return append(calls,
		demoCall{"OSSN 2019 (the document's)", "$U" + ossn},
		demoCall{"OSSN 10", "$U/ossn-10" + ossn},
		demoCall{"CRM.COM R6 (the document's)", "$U" + crmcom + password},
		demoCall{"CRM.COM R6, by authentication code", "$U" + crmcom + `{"access_token_identifier":{"authentication_code":"DEMO-AUTHENTICATION-CODE"},"organisation":"CRMDEMO"}'`},
		demoCall{"CRM.COM R6, by identifier and pass code", "$U" + crmcom + `{"access_token_identifier":{"identifier":"DEMO-IDENTIFIER","pass_code":"4321"},"organisation":"CRMDEMO"}'`},
		demoCall{"CRM.COM R10", "$U/crmcom-r10" + crmcom + password},
		demoCall{"CRM.COM R12", "$U/crmcom-r12" + crmcom + password},
		demoCall{"PayHub 2025 (the document's)", "$U" + payhub},
		demoCall{"PayHub 2024", "$U/payhub-2024" + payhub},
	)
}

// demoDevice begins the sign-in of a device.
const demoDevice = "curl -s $U/oauth2/device -d client_id=demo-device -d scope='openid profile email offline_access'"

// demoExchange exchanges the token of a Faveo login for one that is good for less.
func demoExchange() string {
	return "curl -s $U/oauth2/token -u demo-service:demo-service-secret-0b9e3c7a51d24f68 " +
		"-d grant_type=urn:ietf:params:oauth:grant-type:token-exchange " +
		"-d subject_token_type=urn:ietf:params:oauth:token-type:access_token " +
		"-d scope=openid -d audience=https://orders.demo.example " +
		`-d "subject_token=$(curl -s $U/api/v1/authenticate -d username=demoadmin -d password=demopass | sed 's/.*"token": *"\([^"]*\)".*/\1/')"`
}

// demoText is what the demo prints, with $U for its URL.
func demoText() string {
	text := "Keyway's demo listens on $U\nEvery user, password and secret here is public: keep it on this machine.\n\n" +
		"Legacy calls, each answered as its system answers it:\n"
	for _, c := range demoCalls() {
		text += "\n# " + c.Title + "\ncurl -s " + c.Args + "\n"
	}
	return text + "\nThe token in a reply is an OAuth access token (in OSSN's it is the PHPSESSID cookie):\n\n" +
		"curl -s $U/oauth2/introspect -u demo-service:demo-service-secret-0b9e3c7a51d24f68 -d token=TOKEN\n" +
		"curl -s $U/oauth2/userinfo -H 'Authorization: Bearer TOKEN'\n" +
		"curl -s $U/.well-known/openid-configuration\n\n" +
		"A device without a keyboard asks for two codes, you let it in at $U/device, and it gets its tokens:\n\n" +
		demoDevice + "\n" +
		"curl -s $U/oauth2/token -d client_id=demo-device -d grant_type=urn:ietf:params:oauth:grant-type:device_code -d device_code=DEVICE_CODE\n\n" +
		"A service exchanges it for a token that is good for less, here that of a Faveo login for one of demo-service:\n\n" + demoExchange() + "\n\n" +
		"A new app, which signs in by OpenID Connect: $U/demo\nWhat each user sees of themselves: $U/account\n\n" +
		"Example Corp, whose people sign in at their own provider ($U/corp): enter alice@corp.example, or choose\n" +
		"\"Sign in with Example Corp\"; there, the password is correct-horse: $U/demo/login\n" +
		"Old apps send its people's app passwords; alice@corp.example makes one for each at $U/account\n\n" +
		"An app of your own (see docs/connect.md), with any OpenID Connect library:\n\n" +
		"issuer $U, client id demo-web, secret demo-web-secret-6f1d8f0c2a9b4e7d, redirect URI http://127.0.0.1:8765/callback\n" +
		"issuer $U, client id demo-spa, no secret, redirect URI http://127.0.0.1:PORT/callback on any port\n\n" +
		"Other users: alice (correct-horse), zoe, newbie (unverified), gone (disabled). Ctrl-C ends the demo.\n"
}

func printDemo(w io.Writer, issuer string) {
	_, _ = fmt.Fprint(w, expandDemo(demoText(), issuer))
}

func expandDemo(text, issuer string) string { return strings.ReplaceAll(text, "$U", issuer) }
