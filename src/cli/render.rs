//! Shows findings to people: the place is underlined in the source.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::playbook::{Diagnostic, Loaded, Severity};

/// Shows one finding of a playbook.
pub fn finding(loaded: &Loaded, diagnostic: &Diagnostic, color: bool) -> String {
    finding_in(&loaded.path, &loaded.source, diagnostic, color)
}

/// Shows one finding in any text.
pub fn finding_in(path: &str, source: &str, diagnostic: &Diagnostic, color: bool) -> String {
    linked(path, source, diagnostic, color, None)
}

/// Shows one finding. With colours, its code links to the reference.
pub(super) fn linked(
    path: &str,
    source: &str,
    diagnostic: &Diagnostic,
    color: bool,
    reference: Option<&str>,
) -> String {
    let level = match diagnostic.finding.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let end = diagnostic.span.end.min(source.len()).max(diagnostic.span.start);
    // A place of several lines is marked in its first line.
    let text = source.get(diagnostic.span.start..end).unwrap_or_default();
    let end = text.find('\n').map_or(end, |line| diagnostic.span.start + line);
    let label = diagnostic.label.as_deref().unwrap_or_default();
    let annotation = AnnotationKind::Primary.span(diagnostic.span.start.min(source.len())..end).label(label);
    let mut title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.finding.code());
    if let Some(reference) = reference.filter(|_| color) {
        title = title.id_url(super::findings::address(diagnostic.finding, reference));
    }
    let snippet = Snippet::source(source).path(path).annotation(annotation);
    let mut group = Group::with_title(title).element(snippet);
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[group]).to_string()
}
