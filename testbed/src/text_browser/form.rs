//! What HTML makes of a press without scripts: links, forms, boxes to tick, things that fold.

use url::{Url, form_urlencoded::Serializer};

use seatwright::query::RefusalKind;

use super::{
    document::{Document, Id},
    find::Miss,
    network::Request,
};

/// What comes of using an element, beyond its own change.
#[derive(Debug)]
pub(super) enum Effect {
    Nothing,
    /// The page goes there.
    Go(Request),
    /// A window would open.
    Popup(Url),
    Download(Url),
}

impl Document {
    /// The element that acts when this one is clicked: itself or the nearest around it.
    pub(super) fn acting(&self, hit: Id) -> Option<Id> {
        self.up(hit).find(|&id| match self.tag(id) {
            "a" | "area" => self.has(id, "href"),
            "button" | "input" | "select" | "textarea" | "label" => true,
            "summary" => self.parent(id).is_some_and(|details| self.summary(details) == Some(id)),
            _ => self.is_content_editable(id),
        })
    }

    /// Uses an element as a click does.
    pub(super) fn activate(&mut self, id: Id) -> Effect {
        if self.is_disabled(id) {
            return Effect::Nothing;
        }
        match (self.tag(id), self.input_type(id)) {
            ("a" | "area", _) => return self.follow(id),
            ("summary", _) => {
                if let Some(details) = self.parent(id) {
                    self.element_mut(details).on ^= true;
                }
            }
            ("button", _) => match self.attr(id, "type").map(str::to_lowercase).as_deref() {
                Some("button") => {}
                Some("reset") => self.reset(id),
                _ => return self.submit(id),
            },
            ("input", "submit" | "image") => return self.submit(id),
            ("input", "reset") => self.reset(id),
            ("input", "checkbox") => self.element_mut(id).on ^= true,
            ("input", "radio") => {
                for other in self.radios(id) {
                    self.element_mut(other).on = other == id;
                }
            }
            _ => {}
        }
        Effect::Nothing
    }

    fn follow(&self, link: Id) -> Effect {
        let href = self.attr(link, "href").unwrap_or_default();
        match self.base().join(href.trim()) {
            Ok(url) if self.has(link, "download") => Effect::Download(url),
            Ok(url) => self.go(link, "target", Request::get(url)),
            Err(_) => Effect::Nothing,
        }
    }

    /// Where relative addresses begin.
    fn base(&self) -> Url {
        let base = self.inside(None).find(|&id| self.tag(id) == "base" && self.has(id, "href"));
        base.and_then(|id| self.url.join(self.attr(id, "href")?).ok()).unwrap_or_else(|| self.url.clone())
    }

    fn go(&self, id: Id, target: &str, request: Request) -> Effect {
        match self.attr(id, target).unwrap_or_default().to_lowercase().as_str() {
            _ if !matches!(request.url.scheme(), "http" | "https" | "about") => Effect::Nothing,
            "" | "_self" | "_top" | "_parent" => Effect::Go(request),
            _ => Effect::Popup(request.url),
        }
    }

    /// The radio buttons of a group, this one included.
    fn radios(&self, radio: Id) -> Vec<Id> {
        let name = self.attr(radio, "name").unwrap_or_default();
        let form = self.form(radio);
        let is_other = |&other: &Id| {
            let same_name = !name.is_empty() && self.attr(other, "name") == Some(name);
            other == radio || (self.is_input(other, &["radio"]) && same_name && self.form(other) == form)
        };
        self.inside(None).filter(is_other).collect()
    }

    /// The form that a control belongs to.
    fn form(&self, control: Id) -> Option<Id> {
        match self.attr(control, "form") {
            Some(name) => self.by_id(name).filter(|&id| self.tag(id) == "form"),
            None => self.around(control).find(|&outer| self.tag(outer) == "form"),
        }
    }

    fn controls(&self, form: Id) -> Vec<Id> {
        let is_control = |&id: &Id| {
            matches!(self.tag(id), "input" | "button" | "select" | "textarea") && self.form(id) == Some(form)
        };
        self.inside(None).filter(is_control).collect()
    }

    fn is_submitter(&self, id: Id) -> bool {
        match self.tag(id) {
            "button" => {
                !matches!(self.attr(id, "type").map(str::to_lowercase).as_deref(), Some("button" | "reset"))
            }
            _ => self.is_input(id, &["submit", "image"]),
        }
    }

    fn reset(&mut self, button: Id) {
        let Some(form) = self.form(button) else { return };
        for control in self.controls(form) {
            let is_marked = self.has(control, "checked");
            let element = self.element_mut(control);
            element.typed = None;
            element.on = is_marked;
            if self.tag(control) == "select" {
                for option in self.options(control) {
                    self.element_mut(option).on = self.has(option, "selected");
                }
                self.choose_first(control);
            }
        }
    }

    /// Enter in a field: presses the form's first submit button; a form without one has to have one field only.
    pub(super) fn submit_implicitly(&mut self, field: Id) -> Effect {
        let Some(form) = self.form(field) else { return Effect::Nothing };
        let controls = self.controls(form);
        if let Some(button) = controls.iter().copied().find(|&id| self.is_submitter(id)) {
            return self.activate(button);
        }
        const BLOCKING: [&str; 12] = [
            "text",
            "search",
            "tel",
            "url",
            "email",
            "password",
            "date",
            "month",
            "week",
            "time",
            "datetime-local",
            "number",
        ];
        let fields = controls.iter().filter(|&&id| self.is_input(id, &BLOCKING)).count();
        if fields > 1 { Effect::Nothing } else { self.send(form, None) }
    }

    /// Refuses Enter in a search field if it would press a button that does not belong to the search: the only one of a
    /// search landmark, one that follows the field with no list in between, or the only one of a form that reads.
    pub(super) fn check_own_button(&self, field: Id) -> Result<(), Miss> {
        let form = self.form(field).filter(|_| self.tag(field) == "input");
        let Some(form) = form else { return Ok(()) };
        let buttons: Vec<Id> =
            self.controls(form).iter().copied().filter(|&id| self.is_submitter(id)).collect();
        let Some(&button) = buttons.first() else { return Ok(()) };
        let is_search = |id: &Id| self.tag(*id) == "search" || self.role(*id) == "search";
        let inside = |outer: Id| buttons.iter().filter(|&&id| self.is_within(outer, id)).count();
        let is_only = self
            .up(field)
            .find(is_search)
            .is_some_and(|outer| self.is_within(outer, button) && inside(outer) == 1);
        const PARTED: [&str; 10] =
            ["table", "grid", "treegrid", "list", "listbox", "tree", "feed", "row", "listitem", "article"];
        let parts =
            |id: Id| PARTED.contains(&self.role(id)) && self.is_visible(id) && !self.is_within(id, button);
        let follows = field < button && !(field..button).any(parts);
        let method = self.attr(button, "formmethod").or_else(|| self.attr(form, "method"));
        let reads = !method.is_some_and(|method| method.eq_ignore_ascii_case("post")) && buttons.len() == 1;
        if self.is_disabled(button) || is_only || follows || reads {
            return Ok(());
        }
        let (field, pressed) = (self.describe(field), self.describe_where(button));
        let message = format!("Enter in {field} would press {pressed}, the first button of its form");
        let all = buttons.iter().map(|&id| self.describe(id)).collect();
        Err(Miss::new(RefusalKind::OtherButton, message, all))
    }

    fn submit(&mut self, button: Id) -> Effect {
        match self.form(button) {
            Some(form) => self.send(form, Some(button)),
            None => Effect::Nothing,
        }
    }

    fn send(&mut self, form: Id, submitter: Option<Id>) -> Effect {
        let by_button = |name: &str| {
            submitter.and_then(|id| self.attr(id, &format!("form{name}"))).or_else(|| self.attr(form, name))
        };
        let is_unchecked =
            self.has(form, "novalidate") || submitter.is_some_and(|id| self.has(id, "formnovalidate"));
        let method = by_button("method").unwrap_or("get").to_lowercase();
        if !is_unchecked && self.controls(form).into_iter().any(|id| self.is_missing(id)) {
            return Effect::Nothing;
        }
        if method == "dialog" {
            let dialog = self.around(form).find(|&outer| self.tag(outer) == "dialog");
            if let Some(dialog) = dialog {
                self.element_mut(dialog).on = false;
            }
            return Effect::Nothing;
        }
        let action = by_button("action").map(str::trim).filter(|action| !action.is_empty());
        let base = self.base();
        let Ok(mut url) = action.map_or(Ok(self.url.clone()), |action| base.join(action)) else {
            return Effect::Nothing;
        };
        let data = self.data(form, submitter);
        let request = if method == "post" {
            Request { url, body: Some(data) }
        } else {
            url.set_query(Some(&data));
            Request::get(url)
        };
        match submitter.filter(|&id| self.has(id, "formtarget")) {
            Some(button) => self.go(button, "formtarget", request),
            None => self.go(form, "target", request),
        }
    }

    /// Required, and not there.
    fn is_missing(&self, id: Id) -> bool {
        if !self.has(id, "required") || self.is_disabled(id) || self.has(id, "readonly") {
            return false;
        }
        match self.input_type(id) {
            _ if self.tag(id) != "input" => self.value(id).is_some_and(|value| value.is_empty()),
            "checkbox" => !self.element(id).on,
            "radio" => !self.radios(id).into_iter().any(|radio| self.element(radio).on),
            _ => self.value(id).is_some_and(|value| value.is_empty()),
        }
    }

    /// What a form sends, urlencoded.
    fn data(&self, form: Id, submitter: Option<Id>) -> String {
        let mut data = Serializer::new(String::new());
        for id in self.controls(form) {
            let name = self.attr(id, "name").unwrap_or_default();
            let is_button =
                self.is_submitter(id) || self.tag(id) == "button" || self.is_input(id, &["reset", "button"]);
            if self.is_disabled(id) || (is_button && submitter != Some(id)) {
                continue;
            }
            if self.is_input(id, &["image"]) {
                let dotted =
                    |axis: &str| if name.is_empty() { axis.to_owned() } else { format!("{name}.{axis}") };
                data.append_pair(&dotted("x"), "0").append_pair(&dotted("y"), "0");
                continue;
            }
            if name.is_empty() {
                continue;
            }
            match self.tag(id) {
                "select" => {
                    let chosen = self.options(id).into_iter();
                    for option in
                        chosen.filter(|&option| self.element(option).on && !self.is_disabled(option))
                    {
                        data.append_pair(name, &self.value(option).unwrap_or_default());
                    }
                }
                "input" if self.is_input(id, &["checkbox", "radio"]) && !self.element(id).on => {}
                _ => {
                    let value = self.value(id).unwrap_or_default();
                    data.append_pair(name, &value.replace("\r\n", "\n").replace('\n', "\r\n"));
                }
            }
        }
        data.finish()
    }
}
