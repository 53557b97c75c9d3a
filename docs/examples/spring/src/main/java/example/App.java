package example;

import java.time.Duration;
import java.util.Map;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.Authentication;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.client.OAuth2AuthorizeRequest;
import org.springframework.security.oauth2.client.OAuth2AuthorizedClientProviderBuilder;
import org.springframework.security.oauth2.client.oidc.web.logout.OidcClientInitiatedLogoutSuccessHandler;
import org.springframework.security.oauth2.client.registration.ClientRegistrationRepository;
import org.springframework.security.oauth2.client.web.DefaultOAuth2AuthorizedClientManager;
import org.springframework.security.oauth2.client.web.OAuth2AuthorizedClientRepository;
import org.springframework.security.oauth2.core.oidc.user.OidcUser;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.client.RestClient;

/**
 * An app that signs people in at an OpenID provider, with Spring Security. It
 * knows the provider's URL and its own registration, and nothing else of the
 * provider.
 */
@SpringBootApplication
@RestController
public class App {
    private final ClientRegistrationRepository registrations;
    private final OAuth2AuthorizedClientRepository authorized;

    App(ClientRegistrationRepository registrations, OAuth2AuthorizedClientRepository authorized) {
        this.registrations = registrations;
        this.authorized = authorized;
    }

    public static void main(String[] args) {
        SpringApplication.run(App.class, args);
    }

    @Bean
    static SecurityFilterChain security(HttpSecurity http, ClientRegistrationRepository registrations) throws Exception {
        var signedOut = new OidcClientInitiatedLogoutSuccessHandler(registrations);
        signedOut.setPostLogoutRedirectUri("{baseUrl}/");
        return http
            .authorizeHttpRequests(r -> r.requestMatchers("/").permitAll().anyRequest().authenticated())
            .oauth2Login(login -> login.redirectionEndpoint(e -> e.baseUri("/callback")))
            .logout(logout -> logout.logoutSuccessHandler(signedOut))
            .build();
    }

    /** Says who is signed in. */
    @GetMapping("/")
    Map<String, Object> show(@AuthenticationPrincipal OidcUser user) {
        return user == null ? Map.of("signed_in", false) : user.getClaims();
    }

    /**
     * Trades the refresh token for new tokens, and asks the userinfo endpoint
     * with them. Spring does it by itself when the access token has expired;
     * the long clock skew makes every token look so.
     */
    @GetMapping("/refresh")
    Map<?, ?> refresh(Authentication person, HttpServletRequest request, HttpServletResponse response) {
        var clients = new DefaultOAuth2AuthorizedClientManager(registrations, authorized);
        clients.setAuthorizedClientProvider(OAuth2AuthorizedClientProviderBuilder.builder()
            .refreshToken(r -> r.clockSkew(Duration.ofDays(1))).build());
        var client = clients.authorize(OAuth2AuthorizeRequest.withClientRegistrationId("keyway").principal(person)
            .attribute(HttpServletRequest.class.getName(), request)
            .attribute(HttpServletResponse.class.getName(), response).build());
        return RestClient.create().get()
            .uri(client.getClientRegistration().getProviderDetails().getUserInfoEndpoint().getUri())
            .headers(h -> h.setBearerAuth(client.getAccessToken().getTokenValue()))
            .retrieve().body(Map.class);
    }
}
