//! `/Users`: reads from the mirror, writes through the keeper.

use std::{collections::HashMap, time::Duration};

use axum::http::header;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use super::{
    integration::Served,
    keeper::{Ending, Ticket, kept_refusal},
    scim::{
        asked::{self, Asked},
        fault::ScimFault,
        filter::{self, Field, Lookup},
        resource::{self, Shown},
    },
    serve::{ScimAnswer, ScimRequest, ScimServer, unavailable},
    wish,
};
use crate::{
    contract::{Code, Failure, UserRecord},
    ports::mirror::{MirrorUser, PartOf, Seen, Select, UserPage, UserState},
    query::canonical,
    secret::Secret,
};

/// The most users of one answer.
const MOST_LISTED: u64 = 200;
/// Without `count`.
const LISTED: u64 = 100;
/// How many users a filter reads at a time that no index answers.
const SCANNED: u64 = 500;

/// The characters of an id.
const ID: &[&str] = &["0123456789abcdefghijklmnopqrstuvwxyz"];

impl ScimServer {
    pub(super) async fn get(&self, request: &ScimRequest, id: &str) -> Result<ScimAnswer, ScimFault> {
        let user = self.find(request, id).await?;
        if !user.state.is_listed() {
            return Err(no_user(id));
        }
        let tag = etag(&user);
        let known = request.headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        if known.is_some_and(|known| matches(known, &tag)) {
            return Ok(ScimAnswer::empty(304).header(header::ETAG, tag));
        }
        let body = filter::project(shown(request, &user), &request.query)?;
        Ok(ScimAnswer::ok(body).header(header::ETAG, tag))
    }

    pub(super) async fn search(&self, request: &ScimRequest) -> Result<ScimAnswer, ScimFault> {
        let body = body(request)?;
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
            other => other.to_string(),
        };
        let asked = body.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), text(value)));
        self.list(request, &asked.collect()).await
    }

    /// A page of users, in the order of their arrival.
    pub(super) async fn list(
        &self,
        request: &ScimRequest,
        asked: &HashMap<String, String>,
    ) -> Result<ScimAnswer, ScimFault> {
        let number = |name: &str, usual: u64| -> Result<u64, ScimFault> {
            let Some(text) = asked.get(name) else { return Ok(usual) };
            // RFC 7644 §3.4.2.4: a value below the least one is the least one.
            let number: i64 = text.trim().parse().map_err(|_| {
                ScimFault::bad("invalidValue", format!("{name} must be a number, but is \"{text}\""))
            })?;
            Ok(u64::try_from(number).unwrap_or_default())
        };
        let start = number("startIndex", 1)?.max(1);
        let part = PartOf { skip: start - 1, most: number("count", LISTED)?.min(MOST_LISTED) };
        let lookup = match asked.get("filter") {
            Some(text) => filter::parse(text)?,
            None => Lookup::Everybody,
        };
        let page = self.selected(request, &lookup, part).await?;
        let mut resources = Vec::new();
        for user in &page.users {
            resources.push(filter::project(shown(request, user), asked)?);
        }
        Ok(ScimAnswer::ok(resource::list(resources, page.total, start)))
    }

    async fn selected(
        &self,
        request: &ScimRequest,
        lookup: &Lookup,
        part: PartOf,
    ) -> Result<UserPage, ScimFault> {
        let served = &request.served;
        let select = match lookup {
            Lookup::Everybody => Select::Everybody,
            Lookup::By { field: Field::UserName, value } if served.abilities.identity == "userName" => {
                Select::Key(canonical(value, true))
            }
            Lookup::By { field: Field::ExternalId, value } => Select::ExternalId(value.clone()),
            Lookup::By { field: Field::Email, value } => Select::Email(canonical(value, true)),
            Lookup::By { field: Field::Id, value } => {
                let found = self.keeper.mirror.user(&served.id, value).await.map_err(|e| unavailable(&e))?;
                let users: Vec<_> = found.into_iter().filter(|user| user.state.is_listed()).collect();
                return Ok(UserPage { total: users.len() as u64, users });
            }
            Lookup::By { .. } | Lookup::Scan(_) => return self.scanned(request, lookup, part).await,
        };
        let mut page =
            self.keeper.mirror.users(&served.id, &select, part).await.map_err(|e| unavailable(&e))?;
        if select != Select::Everybody {
            let all = page.users.len();
            page.users.retain(|user| user.state.is_listed());
            page.total -= (all - page.users.len()) as u64;
        }
        Ok(page)
    }

    /// The users that a filter matches, by reading all of the integration.
    async fn scanned(
        &self,
        request: &ScimRequest,
        lookup: &Lookup,
        part: PartOf,
    ) -> Result<UserPage, ScimFault> {
        let mut found = UserPage::default();
        let mut read = PartOf { skip: 0, most: SCANNED };
        loop {
            let page = self.keeper.mirror.users(&request.served.id, &Select::Everybody, read).await;
            let page = page.map_err(|error| unavailable(&error))?;
            let count = page.users.len() as u64;
            for user in page.users {
                if !lookup.matches(&shown(request, &user)) {
                    continue;
                }
                if found.total >= part.skip && (found.users.len() as u64) < part.most {
                    found.users.push(user);
                }
                found.total += 1;
            }
            if count < SCANNED {
                return Ok(found);
            }
            read.skip += SCANNED;
        }
    }

    pub(super) async fn post(&self, request: &ScimRequest) -> Result<ScimAnswer, ScimFault> {
        let _turn = self.turn()?;
        let served = &request.served;
        let asked = asked::create(&body(request)?, &served.face)?;
        let missing = || {
            let name = &served.abilities.identity;
            ScimFault::bad(
                "invalidValue",
                format!("{name} identifies people in this app: it is needed, in at most 320 characters"),
            )
        };
        let identity = wish::identity(&asked, &served.abilities).ok_or_else(missing)?;
        let key = wish::key(identity).ok_or_else(missing)?;
        let ticket = loop {
            let known = self.keeper.mirror.users(&served.id, &Select::Key(key.clone()), PartOf::FIRST).await;
            let known = known.map_err(|error| unavailable(&error))?.users.into_iter().next();
            let (user, before) = match known {
                None => (new_user(served, &asked, identity, key.clone()), None),
                Some(user) if is_there(&user) => {
                    let message = format!("{} is a user of this app already", user.user_name);
                    return Err(ScimFault::new(409, Some("uniqueness"), message));
                }
                Some(user) => (user.clone(), Some(user)),
            };
            let mut wished = wish::with(&user, &asked);
            if let Some(wish) = &mut wished.state.wish {
                // Who is made, or comes back, is to sign in, unless the request says otherwise.
                wish.active = asked.active.or(Some(true));
            }
            match self.asked(request, wished, before).await? {
                Some(ticket) => break ticket,
                None => continue,
            }
        };
        self.held(request, &ticket, 201).await
    }

    pub(super) async fn edit(&self, request: &ScimRequest, id: &str) -> Result<ScimAnswer, ScimFault> {
        let _turn = self.turn()?;
        let body = body(request)?;
        let face = &request.served.face;
        let ticket = loop {
            let user = self.find(request, id).await?;
            unchanged(request, &user)?;
            let record = wish::expected(&user);
            let current = resource(request, &user, record.as_ref());
            let asked = match request.method.as_str() {
                "PUT" => asked::replace(&body, &current, face)?,
                _ => asked::patch(&body, &current, face)?,
            };
            let wished = wish::with(&user, &asked);
            if let Some(ticket) = self.asked(request, wished, Some(user)).await? {
                break ticket;
            }
        };
        self.held(request, &ticket, 200).await
    }

    pub(super) async fn delete(&self, request: &ScimRequest, id: &str) -> Result<ScimAnswer, ScimFault> {
        let _turn = self.turn()?;
        let ticket = loop {
            let user = self.find(request, id).await?;
            unchanged(request, &user)?;
            if let Some(ticket) = self.asked(request, wish::without(&user), Some(user)).await? {
                break ticket;
            }
        };
        self.held(request, &ticket, 204).await
    }

    /// Stores a wish. `None`: the user has changed since they were read. A refusal that the identity provider has not had is given
    /// to the same request.
    async fn asked(
        &self,
        request: &ScimRequest,
        wished: MirrorUser,
        before: Option<MirrorUser>,
    ) -> Result<Option<Ticket>, ScimFault> {
        if let (Some(before), Some(wish)) = (&before, &wished.state.wish)
            && let Some(refusal) = kept_refusal(before, wish)
        {
            let fault = ScimFault::from(&refusal.failure);
            self.keeper.delivered(before).await.map_err(|error| unavailable(&error))?;
            return Err(fault);
        }
        let asked = self.keeper.ask(&request.served, wished, before.as_ref(), &request.actor).await;
        asked.map_err(|error| unavailable(&error))
    }

    /// Holds the answer until the wish has ended, or the wait is over.
    async fn held(
        &self,
        request: &ScimRequest,
        ticket: &Ticket,
        status: u16,
    ) -> Result<ScimAnswer, ScimFault> {
        let until = Instant::now() + patience(request);
        let ending = self.keeper.wait(&request.served, ticket, until).await;
        match ending.map_err(|error| unavailable(&error))? {
            Ending::Met(user) => {
                let body = shown(request, &user);
                let location = body["meta"]["location"].as_str().unwrap_or_default().to_owned();
                let status = if status == 204 { 200 } else { status };
                Ok(ScimAnswer { status, ..ScimAnswer::ok(body) }
                    .header(header::ETAG, etag(&user))
                    .header(header::LOCATION, location))
            }
            Ending::Gone if status == 204 => Ok(ScimAnswer::empty(204)),
            Ending::Gone => Err(no_user(&ticket.user)),
            Ending::Refused(failure) => Err(ScimFault::from(&*failure)),
            Ending::Replaced => {
                Err(ScimFault::new(409, None, "a later request took the place of this one".to_owned()))
            }
            Ending::Open { retry_after, why } => Ok(not_yet(retry_after, why.as_deref())),
        }
    }

    async fn find(&self, request: &ScimRequest, id: &str) -> Result<MirrorUser, ScimFault> {
        let found = self.keeper.mirror.user(&request.served.id, id).await;
        found.map_err(|error| unavailable(&error))?.ok_or_else(|| no_user(id))
    }

    /// A place among the writes that wait.
    fn turn(&self) -> Result<tokio::sync::SemaphorePermit<'_>, ScimFault> {
        let full = |_| ScimFault::new(429, None, "too many requests wait for this app".to_owned());
        self.writes.try_acquire().map_err(full)
    }
}

/// How long the answer is held: the integration's time, or less if the request prefers it (RFC 7240 §4.3).
fn patience(request: &ScimRequest) -> Duration {
    let prefers = request.headers.get_all("prefer").into_iter().filter_map(|value| value.to_str().ok());
    let waits = prefers.flat_map(|value| value.split([',', ';'])).filter_map(|one| {
        one.trim().strip_prefix("wait=").and_then(|seconds| seconds.trim_matches('"').parse().ok())
    });
    waits.map(Duration::from_secs).chain([request.served.wait]).min().unwrap_or(request.served.wait)
}

fn not_yet(retry_after: Duration, why: Option<&Failure>) -> ScimAnswer {
    let fault = match why {
        Some(failure) => ScimFault { status: 503, scim_type: None, ..ScimFault::from(failure) },
        None => ScimFault::new(
            429,
            None,
            "the app has not confirmed this yet; the request is kept: send it again for its outcome"
                .to_owned(),
        ),
    };
    let seconds = retry_after.as_secs().max(1).to_string();
    ScimAnswer::from(fault).header(header::RETRY_AFTER, seconds)
}

/// Is the user in the app, and is to stay?
fn is_there(user: &MirrorUser) -> bool {
    let active = user.state.seen.record().is_some_and(|record| record.active != Some(false));
    let leaves = user.state.wish.as_ref().is_some_and(|wish| wish.delete || wish.active == Some(false));
    active && !leaves && !user.state.unanswered
}

fn new_user(served: &Served, asked: &Asked, identity: &str, key: String) -> MirrorUser {
    let now = Timestamp::now();
    let user_name = asked.user.user_name.clone().unwrap_or_else(|| identity.to_owned());
    MirrorUser {
        integration: served.id.clone(),
        id: Secret::random(24, ID).expose().to_owned(),
        key,
        user_name,
        external_id: None,
        email: None,
        state: UserState { seen: Seen::Absent, unanswered: true, ..UserState::default() },
        retry_at: None,
        created_at: now,
        changed_at: now,
        revision: 0,
        version: 0,
    }
}

/// The body of a request, as JSON.
fn body(request: &ScimRequest) -> Result<Value, ScimFault> {
    let wrong = |error| ScimFault::bad("invalidSyntax", format!("the body is not JSON: {error}"));
    serde_json::from_slice(&request.body).map_err(wrong)
}

fn shown(request: &ScimRequest, user: &MirrorUser) -> Value {
    resource(request, user, user.state.seen.record())
}

fn resource(request: &ScimRequest, user: &MirrorUser, record: Option<&UserRecord>) -> Value {
    let location = format!("{}/Users/{}", request.base, user.id);
    resource::user(
        &Shown {
            id: &user.id,
            user_name: &user.user_name,
            external_id: user.external_id.as_deref(),
            seen: record,
            sent: &user.state.sent.user,
            revision: user.revision,
            created: user.created_at,
            modified: user.changed_at,
            location: &location,
        },
        &request.served.face,
    )
}

fn etag(user: &MirrorUser) -> String {
    format!("W/\"{}\"", user.revision)
}

fn matches(header: &str, tag: &str) -> bool {
    let plain = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    header.trim() == "*" || header.split(',').any(|one| plain(one) == plain(tag))
}

/// Refuses a change that is based on another version (RFC 7644 §3.14).
fn unchanged(request: &ScimRequest, user: &MirrorUser) -> Result<(), ScimFault> {
    let wanted = request.headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok());
    match wanted {
        Some(wanted) if !matches(wanted, &etag(user)) => {
            Err(ScimFault::new(412, None, "the user has changed since this version".to_owned()))
        }
        _ => Ok(()),
    }
}

fn no_user(id: &str) -> ScimFault {
    let failure = Failure::new(Code::UserNotFound, String::new());
    ScimFault::new(failure.scim.status, None, format!("there is no user with the id {id}"))
}
