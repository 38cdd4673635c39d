//! A finding: what is wrong in a playbook, where it is, and how to fix it.

use serde::Serialize;

use super::at::Span;
use crate::nearest::nearest;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The playbook works now, but will cause trouble.
    Warning,
    /// The playbook cannot be played.
    Error,
}

/// Declares the findings with their codes in one table.
macro_rules! findings {
    ($( $variant:ident $code:literal $severity:ident => $doc:literal; )*) => {
        /// The kinds of findings. Codes are stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Finding { $( #[doc = $doc] $variant, )* }

        impl Finding {
            /// Every kind, in the order of the reference.
            pub const ALL: &'static [Finding] = &[ $( Finding::$variant, )* ];

            /// The stable code: `P012`.
            pub fn code(self) -> &'static str { match self { $( Finding::$variant => $code, )* } }

            /// How bad it is.
            pub fn severity(self) -> Severity { match self { $( Finding::$variant => Severity::$severity, )* } }

            /// The meaning in one sentence, for the reference.
            pub fn meaning(self) -> &'static str { match self { $( Finding::$variant => $doc, )* } }
        }
    };
}

findings! {
    NotYaml "P001" Error => "The file is not valid YAML, is larger than 1 MiB, is nested too deeply, or has anchors or aliases.";
    DuplicateKey "P002" Error => "A map has the same key twice.";
    UnknownKey "P003" Error => "The language has no such key here.";
    WrongShape "P004" Error => "A value is missing, or is of the wrong kind.";
    LanguageVersion "P005" Error => "The playbook is written for another version of the language.";
    AppName "P006" Error => "`app` differs from the name of the playbook's folder.";
    UnknownTarget "P010" Error => "A locator names a target that is not under `targets`.";
    UnusedTarget "P011" Warning => "No locator uses this target.";
    UnknownView "P012" Error => "The view is not under `views`.";
    LocatorShape "P013" Error => "A locator has no way to find an element, or more than one.";
    FragileLocator "P014" Warning => "A locator breaks when the page's markup changes: css, xpath, nth.";
    TargetLoop "P015" Error => "Targets refer to each other in a circle.";
    UnknownModule "P016" Error => "The module does not exist below `playbooks`, or has errors.";
    ModuleParameter "P017" Error => "The module has no such parameter, or a required parameter is missing.";
    BadTemplate "P020" Error => "A template (`{{ … }}`) cannot be parsed.";
    UnknownName "P021" Error => "A template uses a name that is not known here.";
    TemplateInSelector "P022" Error => "A CSS selector or XPath contains a template. Values must not become part of a selector.";
    NoCommit "P030" Error => "A write has a path without a step marked `commit: true`.";
    TwoCommits "P031" Error => "A path has more than one step marked `commit: true`.";
    CommitOutsideIdentity "P032" Error => "A commit that changes an existing user is neither inside the user's row nor inside a dialog that shows the user's identity.";
    CommitInRead "P033" Error => "A sign-in, an overlay or a view has a commit, but must not change the app.";
    CommitOptional "P034" Error => "A commit may be skipped, or the step cannot be a commit.";
    CommitInLoop "P035" Error => "A commit is inside `repeat` or a module, where it could run twice.";
    NothingAnswered "P036" Error => "No step that could open the dialog follows `answer`.";
    ResendNotProved "P037" Error => "`invite.resend` has no `expect` after its commit, so nothing proves that the mail was sent.";
    NoFindUser "P040" Error => "An operation on a user needs `find_user`.";
    AbsentWithoutProof "P041" Error => "Nothing proves that a user does not exist: `find_user` has no `absent`, and its view has no `total`.";
    IdentityNotRead "P042" Error => "The view of `find_user` does not read the user's identity.";
    UnknownAttribute "P043" Error => "The name is neither a SCIM attribute nor an entitlement of this playbook.";
    ActiveNotRead "P044" Error => "An operation disables or enables users, but no view reads `active`.";
    BadColumn "P045" Error => "A column has no place on the page, or more than one.";
    EntitlementRule "P046" Error => "An entitlement needs either `one_of` or `any_of`, and its default must be one of its values.";
    EntitlementNotRead "P047" Error => "An operation grants or revokes entitlements, but no view reads them.";
    PendingNotRead "P048" Error => "An operation invites users, but no view shows who is invited: `active` needs a value that is neither true nor false.";
    NothingToDiscover "P049" Error => "`discovered` needs an `entitlement.list` whose view shows the entitlements.";
    OperationShape "P050" Error => "An operation lacks `steps`, `view` or `unsupported`, or has a key that it cannot have.";
    NotPlayed "P051" Warning => "No scenario plays this operation.";
    NoOperations "P052" Error => "The playbook has no operations.";
    NotRead "P053" Error => "A write sets something that the view of `find_user` does not read, and does not declare under `unread`.";
    NoneNotShown "P054" Warning => "A column reads each of several elements, and nothing shows that there are none.";
    NotUsed "P055" Warning => "`changes` or `gives` names something that no step uses.";
    SecretOutsideLogin "P060" Error => "A secret is used outside of `login`, or outside of `secret:`. Only `user.create` types `initial_password`, and nothing else.";
    WideOrigin "P061" Error => "An origin is too wide, or uses http outside of the loopback.";
    StartOutsideOrigins "P062" Error => "`start` is not on any of the origins.";
    NoLogin "P063" Error => "The playbook has no way to sign in.";
    NoTenant "P064" Warning => "No check ensures that the session is in the right tenant.";
    TokenWithoutSecret "P065" Error => "An access token contains no secret.";
    BadRequest "P066" Error => "A request under `reads` or `sends` is not a method and a path, or belongs to a step that is the commit.";
    AnyRequest "P067" Warning => "`any` lets every request leave before the commit: a plan may change the app.";
    Unbounded "P070" Error => "The limit of a repetition is missing or out of range.";
    BadDuration "P071" Error => "The text is not a duration: write 500ms, 10s or 2m.";
    BadSize "P073" Error => "The text is not a size: write 200KiB or 1MiB; at most 16MiB.";
    BadSetting "P072" Error => "The pattern of a setting is not a valid regular expression.";
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub finding: Finding,
    /// What is wrong, in one sentence.
    pub message: String,
    pub span: Span,
    /// The text next to the underlined part.
    pub label: Option<String>,
    /// How to fix it.
    pub help: Option<String>,
}

impl Diagnostic {
    pub fn new(finding: Finding, span: Span, message: impl Into<String>) -> Self {
        Self { finding, message: message.into(), span, label: None, help: None }
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Adds a did-you-mean when one of these words is similar.
    #[must_use]
    pub fn did_you_mean<'a>(mut self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        if let Some(near) = nearest(word, known.iter().copied()) {
            self.label = Some(format!("did you mean `{near}`?"));
        } else if !known.is_empty() && self.help.is_none() {
            self.help = Some(format!("known names: {}", known.join(", ")));
        }
        self
    }
}
