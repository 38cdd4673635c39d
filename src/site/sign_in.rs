//! How people sign in to a site: by password on one page or two, with a one-time code, through an identity provider on
//! another host, or with an access token.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    body::Body,
    http::{Response, StatusCode, header},
};
use serde_json::json;
use totp_rs::{Builder, Secret};

use super::{
    app::{SiteApp, SiteSession},
    load::SiteAccount,
    request::{SiteRequest, filled, matches},
    response::{page, redirect},
    state::{Names, seen},
};

/// Where a sign-in happens.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Door {
    /// The app's own.
    App,
    /// The identity provider's.
    Provider,
}

impl SiteApp {
    /// Answers a request of a sign-in; `None`: it is another kind of request.
    pub(super) fn arrive(&self, request: &SiteRequest) -> Option<Response<Body>> {
        let sign_in = &self.site.file.sign_in;
        let provider = sign_in.sso.as_ref().is_some_and(|sso| sso.path == request.path);
        if provider {
            return Some(self.at_door(request, Door::Provider));
        }
        let is_at = |rest: &str| matches(&format!("{}{rest}", sign_in.path), &request.path).is_some();
        if is_at("") {
            return Some(self.at_door(request, Door::App));
        }
        if is_at("/sso") {
            return self.to_provider(request);
        }
        is_at("/callback").then(|| self.back_from_provider(request))
    }

    /// The named parts of the path of the sign-in.
    fn parts(&self, request: &SiteRequest) -> BTreeMap<String, String> {
        matches(&self.site.file.sign_in.path, &request.path).unwrap_or_default()
    }

    /// The session of a request with an access token.
    pub(super) fn by_token(&self, request: &SiteRequest) -> Option<String> {
        let known = |token: &str| self.accounts().find(|account| account.token.as_deref() == Some(token));
        let account = request.tokens.iter().find_map(|token| known(token))?;
        let id = format!("token-{}", account.username);
        let user = Some(account.username.clone());
        self.state().sessions.entry(id.clone()).or_insert_with(|| SiteSession {
            user,
            csrf: id.clone(),
            ..SiteSession::default()
        });
        Some(id)
    }

    fn accounts(&self) -> impl Iterator<Item = &SiteAccount> {
        self.site.file.sign_in.accounts.iter()
    }

    fn at_door(&self, request: &SiteRequest, door: Door) -> Response<Body> {
        if request.method == "GET" {
            if request.query.contains_key("out") {
                self.state().sessions.remove(&request.session);
            }
            let inside = self.state().sessions.get(&request.session).and_then(|session| session.user.clone());
            return match (door, inside) {
                // A user who is signed in at the provider returns at once.
                (Door::Provider, Some(user)) => self.granted(request, &user),
                _ => self.door_page(request, door, StatusCode::OK, "password", ""),
            };
        }
        if let Some(token) = request.field("token") {
            let account = self.accounts().find(|account| account.token.as_ref() == Some(&token));
            return match account {
                Some(account) => self.welcome(request, door, &account.username.clone(), None),
                None => self.door_page(
                    request,
                    door,
                    StatusCode::UNAUTHORIZED,
                    "password",
                    "This token is not valid",
                ),
            };
        }
        if let Some(code) = request.field("code") {
            return self.check_code(request, door, &code);
        }
        let username = request.field("email").unwrap_or_default();
        let Some(password) = request.field("password") else {
            // The first of two pages.
            return self.door_page(request, door, StatusCode::OK, "second", "");
        };
        let tries = self.state().arrivals.wrong.iter().filter(|name| **name == username).count();
        if tries >= self.site.file.sign_in.lock_after as usize {
            return self.door_page(
                request,
                door,
                StatusCode::FORBIDDEN,
                "password",
                "This account is locked",
            );
        }
        let account =
            self.accounts().find(|account| account.username == username && account.password == password);
        if account.is_none() && !self.is_a_person(&username, &password) {
            self.state().arrivals.wrong.push(username);
            return self.door_page(
                request,
                door,
                StatusCode::UNAUTHORIZED,
                "password",
                "Incorrect email or password",
            );
        }
        let device = (request.device.clone(), username.clone());
        if account.is_none_or(|account| account.totp.is_none())
            || self.state().arrivals.devices.contains(&device)
        {
            return self.welcome(request, door, &username, None);
        }
        let id = self.fresh_id("a");
        self.state().arrivals.awaited.push((id.clone(), username));
        let response = self.door_page(request, door, StatusCode::OK, "code", "");
        with_cookie(response, &format!("session={id}; Path=/; HttpOnly; SameSite=Lax"))
    }

    /// Is there a record with this name and password?
    fn is_a_person(&self, username: &str, password: &str) -> bool {
        let Some(people) = &self.site.file.sign_in.people else { return false };
        let state = self.state();
        let records = state.world.value()[&people.collection].as_array();
        !password.is_empty()
            && records.into_iter().flatten().any(|record| {
                record[&people.username].as_str() == Some(username)
                    && record[&people.password].as_str() == Some(password)
            })
    }

    fn check_code(&self, request: &SiteRequest, door: Door, code: &str) -> Response<Body> {
        let awaited = self.state().arrivals.awaited.iter().find(|(id, _)| *id == request.session).cloned();
        let Some((_, username)) = awaited else {
            return self.door_page(request, door, StatusCode::UNAUTHORIZED, "password", "Sign in again");
        };
        let secret = self.accounts().find(|a| a.username == username).and_then(|a| a.totp.clone());
        let taken = (username.clone(), code.to_owned());
        let right = secret.is_some_and(|secret| is_code(&secret, code));
        if !right || self.state().arrivals.used.contains(&taken) {
            return self.door_page(request, door, StatusCode::UNAUTHORIZED, "code", "That code is not right");
        }
        let device = request.field("remember").map(|_| self.fresh_id("d"));
        {
            let arrivals = &mut self.state().arrivals;
            arrivals.used.push(taken);
            arrivals.awaited.retain(|(id, _)| *id != request.session);
            arrivals.devices.extend(device.clone().map(|device| (device, username.clone())));
        }
        self.welcome(request, door, &username, device.as_deref())
    }

    /// Signs a user in: the app shows its first page, the provider redirects back.
    fn welcome(
        &self,
        request: &SiteRequest,
        door: Door,
        username: &str,
        device: Option<&str>,
    ) -> Response<Body> {
        let id = self.fresh_id("s");
        let csrf = self.fresh_id("c");
        let session = SiteSession { user: Some(username.to_owned()), csrf, ..SiteSession::default() };
        self.state().sessions.insert(id.clone(), session);
        let response = match door {
            Door::App => redirect(&filled(&self.site.file.sign_in.home, &self.parts(request), &request.path)),
            Door::Provider => self.granted(request, username),
        };
        let response = with_cookie(response, &format!("session={id}; Path=/; HttpOnly; SameSite=Lax"));
        match device {
            Some(device) => {
                with_cookie(response, &format!("device={device}; Path=/; HttpOnly; SameSite=Lax"))
            }
            None => response,
        }
    }

    /// The app redirects to its provider, with its own address.
    fn to_provider(&self, request: &SiteRequest) -> Option<Response<Body>> {
        let sso = self.site.file.sign_in.sso.as_ref()?;
        let port = request.host.rsplit_once(':').map_or("", |(_, port)| port);
        let popup = if request.query.contains_key("popup") { "&popup=1" } else { "" };
        let (name, path) = (self.site.name(), &sso.path);
        Some(redirect(&format!(
            "http://{}.{name}.localhost:{port}{path}?back={}{popup}",
            sso.host, request.host
        )))
    }

    /// The provider issues a code for a user, for one use and for this site only.
    fn granted(&self, request: &SiteRequest, username: &str) -> Response<Body> {
        let value = |name: &str| request.field(name).or_else(|| request.query.get(name)?.first().cloned());
        let back = value("back").unwrap_or_default();
        let host = back.rsplit_once(':').map_or(back.as_str(), |(host, _)| host);
        if !host.ends_with(&format!(".{}.localhost", self.site.name())) {
            return page(
                StatusCode::FORBIDDEN,
                "this app is not known here".into(),
                "text/plain; charset=utf-8",
            );
        }
        let code = self.fresh_id("g");
        self.state().arrivals.granted.push((code.clone(), username.to_owned()));
        let popup = if value("popup").is_some() { "&popup=1" } else { "" };
        redirect(&format!("http://{back}{}/callback?code={code}{popup}", self.site.file.sign_in.path))
    }

    fn back_from_provider(&self, request: &SiteRequest) -> Response<Body> {
        let code = request.query.get("code").and_then(|codes| codes.first()).cloned().unwrap_or_default();
        let granted = {
            let granted = &mut self.state().arrivals.granted;
            let at = granted.iter().position(|(known, _)| *known == code);
            at.map(|at| granted.remove(at).1)
        };
        let Some(username) = granted.filter(|user| self.accounts().any(|account| account.username == *user))
        else {
            let said = "The identity provider does not vouch for you";
            return self.door_page(request, Door::App, StatusCode::FORBIDDEN, "password", said);
        };
        let mut response = self.welcome(request, Door::App, &username, None);
        if request.query.contains_key("popup") {
            let home = json!(self.site.file.sign_in.home);
            *response.status_mut() = StatusCode::OK;
            response.headers_mut().remove(header::LOCATION);
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/html; charset=utf-8"));
            *response.body_mut() = Body::from(format!(
                "<!doctype html><title>Signed in</title><script>opener.location.href={home};window.close()</script>"
            ));
        }
        response
    }

    /// `step`: `password`, `second` (the second of two pages) or `code`.
    fn door_page(
        &self,
        request: &SiteRequest,
        door: Door,
        status: StatusCode,
        step: &str,
        error: &str,
    ) -> Response<Body> {
        let sign_in = &self.site.file.sign_in;
        let value = |name: &str| request.field(name).or_else(|| request.query.get(name)?.first().cloned());
        let mut names = Names::new();
        names.insert("title".into(), seen(&self.site.file.title));
        names.insert("email".into(), seen(value("email").unwrap_or_default()));
        names.insert("back".into(), seen(value("back")));
        names.insert("popup".into(), seen(value("popup")));
        names.insert("step".into(), seen(step));
        names.insert("path".into(), seen(self.parts(request)));
        names.insert("error".into(), seen(error));
        names.insert("settings".into(), seen(&self.state().world.value()["settings"]));
        let template = match (door, &sign_in.sso) {
            (Door::Provider, Some(sso)) => &sso.template,
            _ => &sign_in.template,
        };
        match self.language.render(template, &names) {
            Ok(html) => page(status, html, "text/html; charset=utf-8"),
            Err(reason) => page(StatusCode::INTERNAL_SERVER_ERROR, reason, "text/plain; charset=utf-8"),
        }
    }

    fn fresh_id(&self, kind: &str) -> String {
        let mut state = self.state();
        state.serial += 1;
        format!("{kind}{}-{}", state.serial, state.sessions.len())
    }
}

fn with_cookie(mut response: Response<Body>, cookie: &str) -> Response<Body> {
    if let Ok(value) = header::HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

/// Is this the current code (RFC 6238), or that of the step before or after?
fn is_code(secret: &str, code: &str) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let secret = Secret::try_from_base32(secret);
    secret.is_ok_and(|secret| {
        Builder::new().with_secret(secret).with_skew(1).build_noncompliant().check(code, now).is_some()
    })
}
