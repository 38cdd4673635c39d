//! What the gateway publishes about itself: ServiceProviderConfig, ResourceTypes, Schemas (RFC 7643 §5 to §7). The schema of users has
//! just the attributes of the integration's [`Face`].

use serde_json::{Value, json};

use super::{
    face::{Face, FaceAttribute, FaceKind, Mutability, in_enterprise},
    names::{APP, CORE, ENTERPRISE},
};

/// What the server can do.
pub fn service_provider_config(base: &str) -> Value {
    let no = json!({ "supported": false });
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": 200 },
        "changePassword": no,
        "sort": no,
        "etag": { "supported": true },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "The token of the integration, in the header Authorization",
            "primary": true,
        }],
        "meta": { "resourceType": "ServiceProviderConfig", "location": format!("{base}/ServiceProviderConfig") },
    })
}

/// The resource types.
pub fn resource_types(face: &Face, base: &str) -> Vec<Value> {
    let extensions = [(face.is_enterprise(), ENTERPRISE), (face.invites, APP)];
    let extensions =
        extensions.iter().filter(|(has, _)| *has).map(|(_, urn)| json!({ "schema": urn, "required": false }));
    let extensions: Vec<Value> = extensions.collect();
    vec![json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": "User",
        "name": "User",
        "endpoint": "/Users",
        "description": format!("Users of {}", face.title),
        "schema": CORE,
        "schemaExtensions": extensions,
        "meta": { "resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/User") },
    })]
}

/// The schemas.
pub fn schemas(face: &Face, base: &str) -> Vec<Value> {
    let mut all = vec![schema(CORE, "User", "User account", core(face), base)];
    if face.is_enterprise() {
        let own = face.attributes.iter().filter(|one| in_enterprise(&one.name));
        let mut attributes: Vec<Value> = Vec::new();
        for one in own {
            match one.name.split_once('.') {
                Some((whole, part)) => push_part(&mut attributes, whole, part, one),
                None if one.name == "manager" => push_part(&mut attributes, "manager", "value", one),
                None => attributes.push(of(&one.name, one)),
            }
        }
        all.push(schema(ENTERPRISE, "EnterpriseUser", "Enterprise user", attributes, base));
    }
    if face.invites {
        let invited = json!({ "canonicalValues": ["invited"], "description": "The user has not accepted the invitation" });
        let state = with(simple("state", Mutability::ReadOnly), &invited);
        all.push(schema(APP, "AppUser", "State in the app", vec![state], base));
    }
    all
}

fn schema(id: &str, name: &str, description: &str, attributes: Vec<Value>, base: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id": id,
        "name": name,
        "description": description,
        "attributes": attributes,
        "meta": { "resourceType": "Schema", "location": format!("{base}/Schemas/{id}") },
    })
}

fn core(face: &Face) -> Vec<Value> {
    let name = json!({ "required": true, "uniqueness": "server" });
    let active = json!({ "type": "boolean", "required": true });
    let mut all = vec![
        with(simple("userName", Mutability::Immutable), &name),
        with(simple("active", Mutability::ReadWrite), &active),
    ];
    for one in face.attributes.iter().filter(|one| !in_enterprise(&one.name) && !one.name.starts_with("urn:"))
    {
        match (one.name.as_str(), one.name.split_once('.')) {
            ("userName", _) => {}
            ("emails" | "phoneNumbers" | "ims" | "photos" | "x509Certificates", _) => {
                all.push(several(one));
            }
            ("addresses", _) => push_part(&mut all, "addresses", "formatted", one),
            (_, Some((whole, part))) => push_part(&mut all, whole, part, one),
            (name, None) => all.push(of(name, one)),
        }
    }
    for (name, exclusive) in [("roles", true), ("entitlements", false)] {
        let kinds: Vec<&FaceKind> = face.kinds.iter().filter(|kind| kind.exclusive == exclusive).collect();
        if !kinds.is_empty() {
            all.push(of_kinds(name, &kinds));
        }
    }
    all
}

/// An attribute with one text.
fn simple(name: &str, mutability: Mutability) -> Value {
    json!({
        "name": name,
        "type": "string",
        "multiValued": false,
        "description": format!("{name} of the user"),
        "required": false,
        "caseExact": false,
        "mutability": mutability.as_str(),
        "returned": "default",
        "uniqueness": "none",
    })
}

fn with(mut attribute: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().into_iter().flatten() {
        attribute[name] = value.clone();
    }
    attribute
}

/// An attribute with several values.
fn several(attribute: &FaceAttribute) -> Value {
    let mutability = attribute.mutability;
    let primary = with(simple("primary", mutability), &json!({ "type": "boolean" }));
    let parts = vec![simple("value", mutability), simple("type", mutability), primary];
    let several = json!({ "type": "complex", "multiValued": true, "subAttributes": parts });
    with(of(&attribute.name, attribute), &several)
}

/// An attribute of the face, under this name.
fn of(name: &str, attribute: &FaceAttribute) -> Value {
    with(simple(name, attribute.mutability), &json!({ "required": attribute.required }))
}

/// A part of an attribute, which is added when it is missing.
fn push_part(all: &mut Vec<Value>, whole: &str, part: &str, of_part: &FaceAttribute) {
    let mutability = of_part.mutability;
    let of_whole = |attribute: &Value| attribute["name"] == whole;
    if !all.iter().any(of_whole) {
        let empty = json!({ "type": "complex", "multiValued": whole == "addresses", "subAttributes": [] });
        all.push(with(simple(whole, mutability), &empty));
    }
    let Some(attribute) = all.iter_mut().find(|attribute| of_whole(attribute)) else { return };
    // The whole can be written if one of its parts can.
    if mutability == Mutability::ReadWrite {
        attribute["mutability"] = Value::from(mutability.as_str());
    }
    if of_part.required {
        attribute["required"] = Value::Bool(true);
    }
    if let Some(parts) = attribute["subAttributes"].as_array_mut() {
        parts.push(of(part, of_part));
    }
}

/// `roles` or `entitlements`.
fn of_kinds(name: &str, kinds: &[&FaceKind]) -> Value {
    let can = |wanted: Mutability| kinds.iter().any(|kind| kind.mutability == wanted);
    let mutability = if can(Mutability::ReadWrite) {
        Mutability::ReadWrite
    } else if can(Mutability::Immutable) {
        Mutability::Immutable
    } else {
        Mutability::ReadOnly
    };
    let mut value = simple("value", mutability);
    // The app may have more values than a list names.
    if kinds.iter().all(|kind| kind.values.is_some()) {
        value["canonicalValues"] =
            kinds.iter().flat_map(|kind| kind.values.iter().flatten().cloned()).collect();
    }
    let mut kind = simple("type", mutability);
    kind["canonicalValues"] = kinds.iter().map(|kind| kind.name.clone()).collect();
    let parts = vec![value, kind];
    // Nobody is without a value of these.
    let required = kinds.iter().any(|kind| kind.exclusive && kind.default.is_some());
    let several =
        json!({ "type": "complex", "multiValued": true, "required": required, "subAttributes": parts });
    with(simple(name, mutability), &several)
}
