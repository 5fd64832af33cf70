//! The whole story, from an agent's key to a dead token: each step prints one line, and holds or ends the story.

use http::{Method, StatusCode};
use serde_json::json;

use crate::demo::agent::Answer;
use crate::demo::browser::{Browser, Page};
use crate::demo::{Failure, Stage};

/// Plays it.
pub(super) async fn play(stage: &Stage) -> Result<(), Failure> {
    println!("{}", helpdesk::SEEDED);
    let mut story = Story { stage, step: 0 };
    story.identity()?;
    story.registration().await?;
    let link = story.request().await?;
    story.consent(&link).await?;
    story.calls().await?;
    story.limits().await?;
    story.revocation().await?;
    story.nothing_leaked()
}

struct Story<'a> {
    stage: &'a Stage,
    step: usize,
}

impl Story<'_> {
    fn identity(&mut self) -> Result<(), Failure> {
        let agent = &self.stage.agent;
        let document = agent.identity_document()?;
        let key = document.pointer("/public_key/crv").and_then(serde_json::Value::as_str).unwrap_or_default();
        self.tell("The agent makes a key and an identity document", &format!("{key}, served at {}", agent.id()));
        Ok(())
    }

    async fn registration(&mut self) -> Result<(), Failure> {
        let agent = &self.stage.agent;
        let found = hold(agent.discover().await?, StatusCode::OK)?;
        let scopes = found.json().pointer("/supported_providers/0/available_scopes").cloned().unwrap_or_default();
        self.tell(
            "It asks the gateway what there is",
            &format!("{} with {scopes}", found.text("/supported_providers/0/provider_id")),
        );
        let answer = hold(agent.register().await?, StatusCode::CREATED)?;
        self.tell(
            "It registers, and proves by a signature who it is",
            &format!("{} {}", answer.text("/agent_status"), answer.text("/client_id")),
        );
        Ok(())
    }

    async fn request(&mut self) -> Result<String, Failure> {
        let answer = hold(self.stage.agent.authorize(&["read:tickets", "write:tickets"]).await?, StatusCode::OK)?;
        let link = answer.text("/authorization_url");
        let shown = link.split('?').next().unwrap_or_default();
        self.tell("It asks for access, and gets a link for its user", &format!("{shown}?…"));
        Ok(link)
    }

    async fn consent(&mut self, link: &str) -> Result<(), Failure> {
        let mut browser = Browser::new()?;
        let asked = page(browser.open(link).await?, "Ticket Helper")?;
        require(
            asked.says("See your tickets") && asked.says("Open and change tickets"),
            "the page says the scopes in words",
        )?;
        self.tell("The user opens it: the page names the agent and what it may do", "nothing");
        let login = browser.submit(&asked, &[("decision", "allow")]).await?;
        require(login.url.host_str() == Some("localhost"), "Allow leads to the helpdesk")?;
        let signed_in = browser.submit(&login, &[("username", "alice@acme.test"), ("password", "demo1234")]).await?;
        self.tell(
            "The user allows, and signs in at the helpdesk as alice@acme.test",
            "nothing: the password stays between the two",
        );
        let account = page(browser.submit(&signed_in, &[("decision", "allow")]).await?, "alice@acme.test")?;
        require(account.url.host_str() == Some("127.0.0.1"), "the helpdesk leads back to the gateway")?;
        self.tell(
            "The gateway takes the helpdesk's code and names the account: alice@acme.test",
            "nothing: tokens are sealed in the store",
        );
        let end = page(browser.submit(&account, &[("decision", "continue")]).await?, "ATH token")?;
        require(end.url.path() == "/callback", "the browser ends at the agent's redirect URI")?;
        let token = self.stage.agent.token().ok_or("the agent got no token")?;
        self.tell(
            "The user goes on; the agent exchanges its one-time code",
            &format!("an ATH token, {}…", token.get(..10).unwrap_or_default()),
        );
        Ok(())
    }

    async fn calls(&mut self) -> Result<(), Failure> {
        let agent = &self.stage.agent;
        let list = hold(agent.call(Method::GET, "/tickets?status=open", None).await?, StatusCode::OK)?;
        let count =
            list.json().pointer("/tickets").and_then(|tickets| tickets.as_array().map(Vec::len)).unwrap_or_default();
        require(count > 0, "there are open tickets")?;
        self.tell("It lists the open tickets, through the gateway", &format!("{count} tickets"));
        let ticket = json!({"title": "Card payments fail", "team": "payments", "priority": "p1"});
        let opened = hold(agent.call(Method::POST, "/tickets", Some(&ticket)).await?, StatusCode::CREATED)?;
        let id = opened.json().pointer("/id").map(ToString::to_string).unwrap_or_default();
        let location =
            opened.headers.get("location").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        require(location.starts_with("http://127.0.0.1:"), "Location points at the gateway")?;
        self.tell("It opens one", &format!("ticket {id}, at {location}"));
        let change = json!({"status": "in_progress"});
        let changed = hold(agent.call(Method::PATCH, &format!("/tickets/{id}"), Some(&change)).await?, StatusCode::OK)?;
        require(changed.text("/status") == "in_progress", "the ticket has changed")?;
        self.tell("It changes it", &format!("ticket {id} is {}", changed.text("/status")));
        Ok(())
    }

    async fn limits(&mut self) -> Result<(), Failure> {
        let agent = &self.stage.agent;
        let before = self.stage.helpdesk.recorded_requests().len();
        let refused = hold(agent.call(Method::DELETE, "/tickets/1", None).await?, StatusCode::FORBIDDEN)?;
        require(refused.text("/code") == "SCOPE_NOT_APPROVED", "the refusal says why")?;
        let spelt = agent.call(Method::GET, "/tickets/%2e%2e/userinfo", None).await?;
        require(spelt.status.is_client_error(), "another spelling gains nothing")?;
        require(self.stage.helpdesk.recorded_requests().len() == before, "the helpdesk saw neither")?;
        self.tell(
            "A call outside its scopes is refused, however it is spelt",
            &format!("{} {}", refused.status.as_u16(), refused.text("/code")),
        );
        let echo = hold(agent.call(Method::GET, "/echo", None).await?, StatusCode::OK)?;
        require(String::from_utf8_lossy(&echo.body).contains("Bearer ****"), "the echoed token is masked")?;
        self.tell("Even an API that echoes the injected header gives nothing away", "Bearer ****…");
        Ok(())
    }

    async fn revocation(&mut self) -> Result<(), Failure> {
        let agent = &self.stage.agent;
        hold(agent.revoke().await?, StatusCode::OK)?;
        let dead = hold(agent.call(Method::GET, "/tickets", None).await?, StatusCode::UNAUTHORIZED)?;
        require(dead.text("/code") == "TOKEN_REVOKED", "the token is dead")?;
        self.tell("The token is revoked, and dies", &format!("{} {}", dead.status.as_u16(), dead.text("/code")));
        Ok(())
    }

    fn nothing_leaked(&mut self) -> Result<(), Failure> {
        let received = self.stage.agent.received();
        let issued = self.stage.helpdesk.issued_tokens();
        require(!issued.is_empty(), "the helpdesk issued tokens")?;
        for token in &issued {
            require(
                !contains(&received, token.as_bytes()),
                "nothing the agent received contains a token of the helpdesk's",
            )?;
        }
        let seen = format!(
            "{} bytes in all, none of the helpdesk's {} tokens and codes in them",
            received.len(),
            issued.len()
        );
        self.tell("All that the agent ever received is searched", &seen);
        println!("The story held, every step of it.");
        Ok(())
    }

    fn tell(&mut self, happened: &str, agent_saw: &str) {
        self.step += 1;
        println!("{:>2}. {happened}. The agent sees: {agent_saw}", self.step);
    }
}

fn hold(answer: Answer, expected: StatusCode) -> Result<Answer, Failure> {
    if answer.status == expected {
        return Ok(answer);
    }
    Err(format!("expected {expected}, got {}: {}", answer.status, String::from_utf8_lossy(&answer.body)).into())
}

fn page(page: Page, says: &str) -> Result<Page, Failure> {
    if page.status == StatusCode::OK && page.says(says) {
        return Ok(page);
    }
    Err(format!("expected a page that says {says:?} at {}, got {}: {}", page.url.path(), page.status, page.html).into())
}

fn require(holds: bool, what: &str) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(format!("this did not hold: {what}").into()) }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
