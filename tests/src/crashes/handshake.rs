use std::time::Duration;

use serde_json::json;

use super::Rig;
use crate::{Agent, Answer, Browser, Request};

/// What a gateway does when it dies that is no refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// A registration.
    Register,
    /// The provider's answer to a consent: the code is exchanged.
    Callback,
    /// The last button of a consent: the account is connected, the grant given, the code released.
    Continue,
    /// The end of a token.
    Revoke,
}

impl Task {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Register, Self::Callback, Self::Continue, Self::Revoke];
}

/// Whether the gateway had answered before it died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// What it acknowledged has to hold.
    Yes,
    /// It may have happened or not, but not by half.
    No,
}

impl Rig {
    /// Kills the first gateway so long after it was given the task, starts it again, and looks whether what was acknowledged holds and
    /// what was not can be done again. The error says what is wrong.
    pub fn crash_during(&mut self, task: Task, after: Duration) -> Result<Answered, String> {
        match task {
            Task::Register => self.during_registration(after),
            Task::Callback => self.during_callback(after),
            Task::Continue => self.during_end_of_consent(after),
            Task::Revoke => self.during_revocation(after),
        }
    }

    fn during_registration(&mut self, after: Duration) -> Result<Answered, String> {
        let agent = Agent::new("Newcomer");
        let register = |rig: &Self| post(rig, "/ath/agents/register", &agent.registration(&rig.gateways[0]));
        let answer = self.killed_during(&register(self), after);
        if let Some(answer) = answer {
            let mut agent = agent;
            agent.client = Some((answer.text("/client_id"), answer.text("/client_secret")));
            let begun = post(self, "/ath/authorize", &agent.authorization(&self.gateways[0], &["read:tickets"])).send();
            return expect(begun.status == 200, "an acknowledged registration is gone", &begun).map(|()| Answered::Yes);
        }
        let again = register(self).send();
        expect(matches!(again.status, 201 | 409), "an agent cannot register again", &again).map(|()| Answered::No)
    }

    fn during_callback(&mut self, after: Duration) -> Result<Answered, String> {
        let (link, session) = self.agent().authorize(&self.gateways[0], &["read:tickets"]);
        let mut browser = Browser::new();
        let page = browser.sign_in(&link);
        let url = browser.stop_at("/ath/callback", |browser| browser.submit(&page, &[("decision", "allow")]));
        let call = Request::new("GET", url.as_str()).header("cookie", &browser.cookie_header("127.0.0.1"));
        let answered = self.killed_during(&call, after);
        self.no_half_grant(&session)?;
        // What a person does when a page does not come: they load it again.
        let again = browser.open(url.as_str());
        if again.answer.body_text().contains("continue") {
            let end = browser.submit(&again, &[("decision", "continue")]).parameters();
            self.works(&session, end.get("code").map(String::as_str))?;
        } else {
            expect(again.answer.status < 500, "the page that is loaded again fails", &again.answer)?;
            self.another_consent_works()?;
        }
        Ok(if answered.is_some() { Answered::Yes } else { Answered::No })
    }

    fn during_end_of_consent(&mut self, after: Duration) -> Result<Answered, String> {
        let (link, session) = self.agent().authorize(&self.gateways[0], &["read:tickets"]);
        let mut browser = Browser::new();
        let page = browser.sign_in(&link);
        let page = browser.submit(&page, &[("decision", "allow")]);
        let fields = [("decision", "continue")];
        let answered = self.killed_during(&browser.request(&page, &fields), after);
        // The button is pressed again; a consent that came to its end leads to the same place.
        let end = browser.submit(&page, &fields);
        expect(end.answer.status < 500, "the button that is pressed again fails", &end.answer)?;
        match end.parameters().get("code") {
            Some(code) => self.works(&session, Some(code))?,
            None if answered.is_some() => return Err(format!("a consent that came to its end is gone: {}", end.url)),
            None => self.another_consent_works()?,
        }
        Ok(if answered.is_some() { Answered::Yes } else { Answered::No })
    }

    fn during_revocation(&mut self, after: Duration) -> Result<Answered, String> {
        let person = self.consent();
        let (id, secret) = self.agent().client();
        let body = json!({"client_id": id, "client_secret": secret, "token": person.token});
        let revoke = post(self, "/ath/revoke", &body);
        let answered = self.killed_during(&revoke, after).filter(|answer| answer.status == 200);
        for gateway in 0..self.gateways.len() {
            let call = self.call(gateway, &person).send();
            match answered {
                Some(_) => expect(call.status == 401, "an acknowledged revocation came back", &call)?,
                None => expect(matches!(call.status, 200 | 401), "a revocation by half", &call)?,
            }
        }
        if answered.is_none() {
            let again = revoke.send();
            expect(again.status == 200, "a token cannot be revoked again", &again)?;
            let call = self.call(0, &person).send();
            expect(call.status == 401, "a revocation does not hold", &call)?;
        }
        Ok(if answered.is_some() { Answered::Yes } else { Answered::No })
    }

    /// What came back before the first gateway died, which it does so long after the request was sent. It runs again when this returns.
    fn killed_during(&mut self, request: &Request, after: Duration) -> Option<Answer> {
        let sent = request.clone();
        let caller = std::thread::spawn(move || sent.try_send(A_REQUEST));
        std::thread::sleep(after);
        self.gateways[0].kill();
        let answer = caller.join().ok().flatten();
        self.gateways[0].start_again(&[]);
        self.gateways[0].await_ready();
        answer
    }

    fn no_half_grant(&self, session: &str) -> Result<(), String> {
        let body = self.agent().exchange_request(&self.gateways[0], session, "nobodys-code");
        let token = post(self, "/ath/token", &body).send();
        expect(token.status != 200, "a token came of half a consent", &token)
    }

    fn another_consent_works(&self) -> Result<(), String> {
        let person = self.consent();
        let call = self.call(0, &person).send();
        expect(call.status == 200, "a consent after a crash does not work", &call)
    }

    fn works(&self, session: &str, code: Option<&str>) -> Result<(), String> {
        let code = code.ok_or("a consent ended without a code")?;
        let token = self.agent().exchange(&self.gateways[0], session, code);
        expect(token.status == 200, "the code of a consent is worth nothing", &token)?;
        let mut person = self.people.first().cloned().ok_or("nobody is connected")?;
        person.token = token.text("/access_token");
        let call = self.call(0, &person).send();
        expect(call.status == 200, "the token of a consent does not work", &call)
    }
}

fn post(rig: &Rig, path: &str, body: &serde_json::Value) -> Request {
    Request::new("POST", &format!("{}{path}", rig.gateways[0].url())).json(body)
}

fn expect(holds: bool, otherwise: &str, answer: &Answer) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("{otherwise}: {} {}", answer.status, answer.body_text())) }
}

const A_REQUEST: Duration = Duration::from_secs(8);
