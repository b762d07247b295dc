//! Questions in Cedar's words.

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    Context as Facts, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request,
    RestrictedExpression as Term, Schema,
};
use vyrox_domain::ids::PersonId;

use crate::question::{Context, Principal, Proposal, Question};

/// The names of the schema, parsed once.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    action: EntityTypeName,
    person: EntityTypeName,
    role: EntityTypeName,
    service: EntityTypeName,
    proposal: EntityTypeName,
    tenant: EntityTypeName,
    verdict: EntityTypeName,
    action_type: EntityTypeName,
    vendor: EntityTypeName,
    channel: EntityTypeName,
}

impl Vocabulary {
    /// # Errors
    /// A name that Cedar cannot read; a test keeps it from happening.
    pub(crate) fn new() -> Result<Self, String> {
        let name = |text: &str| {
            text.parse::<EntityTypeName>()
                .map_err(|error| error.to_string())
        };
        Ok(Self {
            action: name("Action")?,
            person: name("Person")?,
            role: name("Role")?,
            service: name("Service")?,
            proposal: name("Proposal")?,
            tenant: name("Tenant")?,
            verdict: name("Verdict")?,
            action_type: name("ActionType")?,
            vendor: name("Vendor")?,
            channel: name("Channel")?,
        })
    }

    /// The question, held against the schema, and the entities that it speaks of.
    ///
    /// # Errors
    /// What is not in the schema: a service of another name, an act that is not for a service.
    pub(crate) fn express(
        &self,
        question: &Question,
        schema: &Schema,
    ) -> Result<(Request, Entities), String> {
        let principal = self.principal(&question.principal);
        let proposal = self.proposal(&question.proposal)?;
        let request = Request::new(
            principal.uid(),
            uid(&self.action, question.act.as_str()),
            proposal.uid(),
            self.facts(&question.context)?,
            Some(schema),
        )
        .map_err(|error| error.to_string())?;
        let entities = Entities::from_entities([principal, proposal], None);
        Ok((request, entities.map_err(|error| error.to_string())?))
    }

    fn principal(&self, principal: &Principal) -> Entity {
        match principal {
            Principal::Person { id, roles } => {
                let roles = roles.iter().map(|role| uid(&self.role, role.as_str()));
                Entity::new_no_attrs(self.person_uid(id), roles.collect())
            }
            Principal::Service { name } => Entity::with_uid(uid(&self.service, name)),
        }
    }

    fn proposal(&self, proposal: &Proposal) -> Result<Entity, String> {
        let named = |kind, id| Term::new_entity_uid(uid(kind, id));
        let mut attributes = HashMap::from([
            (
                "tenant".to_owned(),
                named(&self.tenant, proposal.tenant.as_str()),
            ),
            (
                "action_type".to_owned(),
                named(&self.action_type, proposal.action_type.as_str()),
            ),
            (
                "verdict".to_owned(),
                named(&self.verdict, proposal.verdict.as_str()),
            ),
            (
                "vendor".to_owned(),
                named(&self.vendor, proposal.vendor.as_str()),
            ),
            ("tier0".to_owned(), Term::new_bool(proposal.tier0)),
            ("protected".to_owned(), Term::new_bool(proposal.protected)),
            ("dry_run".to_owned(), Term::new_bool(proposal.dry_run)),
            ("release".to_owned(), Term::new_bool(proposal.release)),
        ]);
        if let Some(proposer) = &proposal.proposer {
            let proposer = Term::new_entity_uid(self.person_uid(proposer));
            attributes.insert("proposer".to_owned(), proposer);
        }
        // There is one proposal in a question, so its name matters to nobody.
        Entity::new(uid(&self.proposal, "this"), attributes, HashSet::new())
            .map_err(|error| error.to_string())
    }

    fn facts(&self, context: &Context) -> Result<Facts, String> {
        let channel = uid(&self.channel, context.channel.as_str());
        let number = |number: u32| Term::new_long(number.into());
        let facts = [
            ("approvals", number(context.approvals)),
            (
                "approvers_include_proposer",
                Term::new_bool(context.approvers_include_proposer),
            ),
            ("same_person", Term::new_bool(context.same_person)),
            ("bulk", Term::new_bool(context.bulk)),
            ("break_glass", Term::new_bool(context.break_glass)),
            ("incident_given", Term::new_bool(context.incident_given)),
            ("reason_chars", number(context.reason_chars)),
            ("channel", Term::new_entity_uid(channel)),
        ];
        Facts::from_pairs(facts.map(|(name, term)| (name.to_owned(), term)))
            .map_err(|error| error.to_string())
    }

    fn person_uid(&self, id: &PersonId) -> EntityUid {
        uid(&self.person, id.as_str())
    }
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}
