//! Roles: WAI-ARIA 1.2, implicit ones as in HTML-AAM.

use super::{
    document::{Document, Id},
    text::fold,
};

/// All roles that an author may write in `role=`.
const KNOWN: &str = "alert alertdialog application article banner blockquote button caption cell checkbox code \
    columnheader combobox complementary contentinfo definition deletion dialog directory document emphasis feed \
    figure form generic grid gridcell group heading image img insertion link list listbox listitem log main marquee \
    math menu menubar menuitem menuitemcheckbox menuitemradio meter navigation none note option paragraph \
    presentation progressbar radio radiogroup region row rowgroup rowheader scrollbar search searchbox separator \
    slider spinbutton status strong subscript superscript switch tab table tablist tabpanel term textbox time timer \
    toolbar tooltip tree treegrid treeitem";

/// Asking for the first also finds the others: kinds of it, which are the same to a person.
fn kinds(role: &str) -> &'static [&'static str] {
    match role {
        "cell" => &["gridcell"],
        "checkbox" => &["switch"],
        "dialog" => &["alertdialog"],
        "grid" => &["treegrid"],
        "image" => &["img"],
        "menuitem" => &["menuitemcheckbox", "menuitemradio"],
        "none" => &["presentation"],
        "presentation" => &["none"],
        "table" => &["grid", "treegrid"],
        "textbox" => &["searchbox"],
        _ => &[],
    }
}

impl Document {
    /// Is it of this role, or of a kind of it?
    pub(super) fn is_role(&self, id: Id, role: &str) -> bool {
        let own = self.role(id);
        own == role || kinds(role).contains(&own)
    }

    /// The ARIA role; empty where the element means nothing by itself.
    pub(super) fn role(&self, id: Id) -> &'static str {
        self.element(id).role.get_or_init(|| self.explicit_role(id).unwrap_or_else(|| self.implicit_role(id)))
    }

    fn explicit_role(&self, id: Id) -> Option<&'static str> {
        let said = self.attr(id, "role")?.to_lowercase();
        let role =
            said.split_whitespace().find_map(|one| KNOWN.split_whitespace().find(|&known| known == one));
        match role? {
            // What can be focused or says more about itself cannot be mere decoration.
            "none" | "presentation" if self.is_meant(id) => None,
            "region" if !self.is_titled(id) => None,
            "image" => Some("img"),
            role => Some(role),
        }
    }

    fn is_meant(&self, id: Id) -> bool {
        let says = ["label", "labelledby", "describedby", "live", "controls", "owns"];
        self.is_focusable(id) || says.iter().any(|name| self.has(id, &format!("aria-{name}")))
    }

    /// Can it have the focus?
    pub(super) fn is_focusable(&self, id: Id) -> bool {
        let by_itself = match self.tag(id) {
            "a" | "area" => self.has(id, "href"),
            "button" | "select" | "textarea" => !self.is_disabled(id),
            "input" => self.input_type(id) != "hidden" && !self.is_disabled(id),
            "summary" => true,
            _ => self.is_content_editable(id),
        };
        by_itself || self.attr(id, "tabindex").is_some_and(|index| index.trim().parse().unwrap_or(-1) >= 0)
    }

    pub(super) fn is_content_editable(&self, id: Id) -> bool {
        self.attr(id, "contenteditable").is_some_and(|said| !said.eq_ignore_ascii_case("false"))
    }

    /// Named by its author; enough for roles that need a name.
    fn is_titled(&self, id: Id) -> bool {
        let names = ["aria-label", "aria-labelledby", "title"];
        names.iter().any(|name| self.attr(id, name).is_some_and(|said| !fold(said).is_empty()))
    }

    fn implicit_role(&self, id: Id) -> &'static str {
        match self.tag(id) {
            "a" | "area" if self.has(id, "href") => "link",
            "header" if self.is_of_page(id) => "banner",
            "footer" if self.is_of_page(id) => "contentinfo",
            "section" if self.is_titled(id) => "region",
            "img" if self.attr(id, "alt") == Some("") && !self.is_titled(id) => "presentation",
            "img" => "img",
            "input" => self.input_role(id),
            "select" => match self.has(id, "multiple") || self.has(id, "size") {
                true => "listbox",
                false => "combobox",
            },
            "li" if self.parent(id).is_some_and(|list| self.role(list) == "list") => "listitem",
            "tr" if self.table_role(id).is_some() => "row",
            "tbody" | "thead" | "tfoot" if self.table_role(id).is_some() => "rowgroup",
            "td" => match self.table_role(id) {
                Some("table") => "cell",
                Some(_) => "gridcell",
                None => "",
            },
            "th" if self.table_role(id).is_some() => self.header_role(id),
            tag => plain_role(tag),
        }
    }

    /// A header or footer of a part of the page is none of the page.
    fn is_of_page(&self, id: Id) -> bool {
        let parts = ["article", "aside", "main", "nav", "section"];
        !self.around(id).any(|outer| parts.contains(&self.tag(outer)) || self.role(outer) == "region")
    }

    fn input_role(&self, id: Id) -> &'static str {
        match self.input_type(id) {
            "text" | "search" | "tel" | "url" | "email" if self.has(id, "list") => "combobox",
            "button" | "submit" | "reset" | "image" => "button",
            "checkbox" => "checkbox",
            "radio" => "radio",
            "range" => "slider",
            "number" => "spinbutton",
            "search" => "searchbox",
            "email" | "tel" | "text" | "url" | "password" => "textbox",
            _ => "",
        }
    }

    /// The role of the table that a part belongs to; none of one that is only layout.
    fn table_role(&self, part: Id) -> Option<&'static str> {
        let table = self.around(part).find(|&outer| self.tag(outer) == "table")?;
        Some(self.role(table)).filter(|role| matches!(*role, "table" | "grid" | "treegrid"))
    }

    fn header_role(&self, cell: Id) -> &'static str {
        match self.attr(cell, "scope").map(str::to_lowercase).as_deref() {
            Some("col" | "colgroup") => return "columnheader",
            Some("row" | "rowgroup") => return "rowheader",
            _ => {}
        }
        let in_head = self.section(cell) == Some("thead");
        let row = self.parent(cell);
        let has_data = row.is_some_and(|row| self.children(row).any(|other| self.tag(other) == "td"));
        if has_data && !in_head { "rowheader" } else { "columnheader" }
    }

    /// `thead`, `tbody` or `tfoot` around a part of a table.
    pub(super) fn section(&self, part: Id) -> Option<&str> {
        self.up(part).map(|outer| self.tag(outer)).find(|tag| matches!(*tag, "thead" | "tbody" | "tfoot"))
    }
}

/// The role of elements that have one wherever they stand.
fn plain_role(tag: &str) -> &'static str {
    match tag {
        "article" => "article",
        "aside" => "complementary",
        "blockquote" => "blockquote",
        "button" | "summary" => "button",
        "caption" => "caption",
        "code" => "code",
        "datalist" => "listbox",
        "dd" => "definition",
        "del" | "s" => "deletion",
        "details" | "fieldset" | "hgroup" | "address" | "optgroup" => "group",
        "dfn" | "dt" => "term",
        "dialog" => "dialog",
        "em" => "emphasis",
        "figure" => "figure",
        "form" => "form",
        "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => "heading",
        "hr" => "separator",
        "html" => "document",
        "ins" => "insertion",
        "main" => "main",
        "math" => "math",
        "menu" | "ol" | "ul" => "list",
        "meter" => "meter",
        "nav" => "navigation",
        "option" => "option",
        "output" => "status",
        "p" => "paragraph",
        "progress" => "progressbar",
        "search" => "search",
        "strong" => "strong",
        "sub" => "subscript",
        "sup" => "superscript",
        "svg" => "img",
        "table" => "table",
        "textarea" => "textbox",
        "time" => "time",
        _ => "",
    }
}
