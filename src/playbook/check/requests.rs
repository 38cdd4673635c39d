//! Requests that may leave a page before the commit: `reads` and `sends`.

use super::Checker;
use crate::playbook::{diagnostic::Finding, request::RequestPattern, visit::each_step_of};

impl Checker<'_> {
    pub(super) fn requests(&mut self) {
        let playbook = self.playbook;
        for pattern in playbook.reads.iter() {
            self.request(pattern);
        }
        each_step_of(playbook, &mut |step| {
            for pattern in step.modifiers.sends.iter() {
                self.request(pattern);
                if step.commits() {
                    let message = "a commit may send any request: `sends` has no effect here";
                    self.note(Finding::BadRequest, pattern.request.span, message).help =
                        Some("remove `sends`".into());
                }
            }
        });
    }

    fn request(&mut self, pattern: &RequestPattern) {
        let RequestPattern { request, .. } = pattern;
        if pattern.rule().is_none() {
            let message = format!("`{}` is not a method and a path", request.value);
            self.note(Finding::BadRequest, request.span, message).help =
                Some("write `POST /search`; `*` matches any text, also in place of a template".into());
        } else if request.value == "any" {
            let message = "`any` lets every request leave the page before the commit";
            self.note(Finding::AnyRequest, request.span, message).help = Some(
                "name the requests that only read; `any` is for apps that send everything by POST to one address"
                    .into(),
            );
        }
    }
}
