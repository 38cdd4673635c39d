//! A finding: what is wrong with a playbook, where, and what would be right.

use serde::Serialize;

use super::at::Span;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Works, but will hurt.
    Warning,
    /// The playbook is not played.
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

            /// One sentence for the reference.
            pub fn meaning(self) -> &'static str { match self { $( Finding::$variant => $doc, )* } }
        }
    };
}

findings! {
    NotYaml "P001" Error => "The file is not YAML, or is more than a playbook may be: larger than 1 MiB, too deep, with anchors or aliases.";
    DuplicateKey "P002" Error => "A key stands twice in one map.";
    UnknownKey "P003" Error => "A key that the language does not have here.";
    WrongShape "P004" Error => "A value of another kind than the language expects here, or a missing one.";
    LanguageVersion "P005" Error => "The playbook is written for another version of the language.";
    AppName "P006" Error => "`app` is not the name of the playbook's folder.";
    UnknownTarget "P010" Error => "A bare string names a target that `targets` does not have.";
    UnusedTarget "P011" Warning => "A target that nothing uses.";
    UnknownView "P012" Error => "A view that `views` does not have.";
    LocatorShape "P013" Error => "A locator that says nothing, or two things at once.";
    FragileLocator "P014" Warning => "A locator that breaks when the page's markup changes: css, xpath, nth.";
    TargetLoop "P015" Error => "Targets that name each other in a circle.";
    UnknownModule "P016" Error => "A module that is not below `playbooks`, or that has errors of its own.";
    ModuleParameter "P017" Error => "A parameter that a module does not have, or one that it needs and does not get.";
    BadTemplate "P020" Error => "A `{{ … }}` that cannot be read.";
    UnknownName "P021" Error => "A template names something that no job, setting or capture has.";
    TemplateInSelector "P022" Error => "A template inside css or xpath: values are data, never syntax.";
    NoCommit "P030" Error => "A write without a step marked `commit: true` on one of its paths.";
    TwoCommits "P031" Error => "More than one `commit: true` on one path.";
    CommitOutsideIdentity "P032" Error => "A destructive commit that is not inside the user's row, nor in a dialog or page that shows the identity.";
    CommitInRead "P033" Error => "A commit in an operation that only reads, in a sign-in, an overlay or a view.";
    CommitOptional "P034" Error => "A commit that is optional, or that cannot be a commit.";
    CommitInLoop "P035" Error => "A commit inside `repeat` or a module, where it could be made twice.";
    NothingAnswered "P036" Error => "An `answer` with no step behind it that could raise the dialog.";
    ResendNotProved "P037" Error => "An `invite.resend` without an `expect` behind its commit: no record shows that a mail was sent.";
    NoFindUser "P040" Error => "Operations on a user without `find_user`.";
    AbsentWithoutProof "P041" Error => "Nothing proves that a user is absent: no `absent`, and no `total` to compare a walked list with.";
    IdentityNotRead "P042" Error => "The view of `find_user` does not read the identity.";
    UnknownAttribute "P043" Error => "A name that is neither a SCIM attribute nor an entitlement of this playbook.";
    ActiveNotRead "P044" Error => "Disabling or enabling without a view that reads `active`.";
    BadColumn "P045" Error => "A column that says nowhere, or two places.";
    EntitlementRule "P046" Error => "An entitlement that says neither `one_of` nor `any_of`, or both, or a default that is none of its values.";
    EntitlementNotRead "P047" Error => "Entitlements are granted or revoked, but no view reads them.";
    PendingNotRead "P048" Error => "Invitations without a view that tells who is invited: a value of `active` that is neither true nor false.";
    NothingToDiscover "P049" Error => "`discovered` without an `entitlement.list` whose view shows what there is.";
    OperationShape "P050" Error => "An operation that has neither steps nor view nor `unsupported`, or what it cannot have.";
    NotPlayed "P051" Warning => "An operation that no scenario plays.";
    NoOperations "P052" Error => "A playbook without operations.";
    SecretOutsideLogin "P060" Error => "A secret outside of `login`, or outside of a `secret:` slot.";
    WideOrigin "P061" Error => "An origin that is too wide, or plain http off the loopback.";
    StartOutsideOrigins "P062" Error => "`start` is not on one of the origins.";
    NoLogin "P063" Error => "No way to sign in, or nothing that shows that one is signed in.";
    NoTenant "P064" Warning => "Nothing makes sure that the right tenant is in front.";
    TokenWithoutSecret "P065" Error => "An access token that holds no secret.";
    Unbounded "P070" Error => "Something repeats without a bound.";
    BadDuration "P071" Error => "Not a duration: write 500ms, 10s or 2m.";
    BadSize "P073" Error => "Not a size: write 200KiB or 1MiB; at most 16MiB.";
    BadSetting "P072" Error => "A setting whose pattern cannot be read.";
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub finding: Finding,
    /// What is wrong, in one sentence.
    pub message: String,
    pub span: Span,
    /// What is underlined is called this.
    pub label: Option<String>,
    /// What would be right.
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

    /// With a did-you-mean, where one of these comes near.
    #[must_use]
    pub fn did_you_mean<'a>(mut self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        if let Some(near) = nearest(word, known.iter().copied()) {
            self.label = Some(format!("did you mean `{near}`?"));
        } else if !known.is_empty() && self.help.is_none() {
            self.help = Some(format!("known here: {}", known.join(", ")));
        }
        self
    }
}

/// The known word that one most likely meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(&word.to_lowercase(), &k.to_lowercase()), k))
        .filter(|(distance, k)| *distance <= (k.chars().count().max(word.chars().count()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}
