//! The table of errors: code, status, title, general sentence.

use std::fmt;

use actix_web::http::StatusCode;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident $code:literal $status:ident $title:literal $detail:literal;)*) => {
        /// What went wrong, for programs: stable, in `snake_case`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The `code` member.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The status.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// The `title` member: the same for every occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// The `detail` member if the handler has nothing better to say.
            pub const fn detail(self) -> &'static str {
                match self { $(Self::$name => $detail,)* }
            }
        }
    };
}

codes! {
    /// The body is authentic and is no alert that we know.
    InvalidPayload "invalid_payload" BAD_REQUEST "Invalid payload"
        "The body is authentic but does not have the expected shape.";
    /// The body of an API call is not the JSON it should be.
    InvalidJson "invalid_json" BAD_REQUEST "Invalid JSON"
        "The body is not the JSON that this route expects.";
    /// A query parameter is missing or wrong.
    InvalidQuery "invalid_query" BAD_REQUEST "Invalid query"
        "A query parameter is missing, unknown or malformed.";
    /// A path segment is wrong.
    InvalidPath "invalid_path" BAD_REQUEST "Invalid path"
        "A segment of the path is malformed.";
    /// The request is broken below all that.
    InvalidRequest "invalid_request" BAD_REQUEST "Invalid request"
        "The request is malformed or ended early.";
    /// Not a tenant's name.
    InvalidTenantId "invalid_tenant_id" BAD_REQUEST "Invalid tenant id"
        "A tenant id is 2 to 32 of a-z, 0-9, '_' and '-', with a letter or digit at both ends.";
    /// Not a way to authenticate a vendor's webhook.
    InvalidWebhook "invalid_webhook" BAD_REQUEST "Invalid webhook"
        "A webhook names a vendor and one way to authenticate it.";
    /// Not a vendor's account.
    InvalidAccount "invalid_account" BAD_REQUEST "Invalid account"
        "An account names a vendor and an id of 1 to 128 visible characters.";
    /// A secret that is too weak.
    InvalidSecret "invalid_secret" BAD_REQUEST "Invalid secret"
        "A secret has 32 bytes at least and is no placeholder.";
    /// Not a credential of that vendor.
    InvalidCredential "invalid_credential" BAD_REQUEST "Invalid credential"
        "A credential names an https address, and what the vendor's API asks for.";
    /// Not a person's name.
    InvalidPersonId "invalid_person_id" BAD_REQUEST "Invalid person id"
        "A person's name is 2 to 64 of a-z, 0-9, '.', '_' and '-', with a letter or digit at both ends.";
    /// Not a role.
    InvalidRole "invalid_role" BAD_REQUEST "Invalid role"
        "A role is analyst, approver or emergency_approver.";
    /// Rules or playbooks that do not compile.
    InvalidRules "invalid_rules" BAD_REQUEST "Invalid rules"
        "The rules or playbooks do not compile; the member errors has each error.";
    /// Credentials of an EDR in a request.
    InlineCredentialsDisabled "inline_credentials_disabled" BAD_REQUEST "Inline credentials disabled"
        "This server takes no credentials of an EDR in a request: seal them as the tenant's.";
    /// The host is not the alert's.
    HostMismatch "host_mismatch" BAD_REQUEST "Host mismatch"
        "The host is neither the device id nor the name of the machine that the alert is about.";
    /// Nothing that an EDR could act on.
    NoTarget "no_target" BAD_REQUEST "No target"
        "The request names nothing that the tenant's EDR could act on.";
    /// Not an account that can stand for a person, or a place in chat.
    InvalidLink "invalid_link" BAD_REQUEST "Invalid link"
        "An account of Discord is a decimal number of 1 to 20 digits, and a person has 16 at most.";
    /// A token that would count for too long, or not at all.
    InvalidLifetime "invalid_lifetime" BAD_REQUEST "Invalid lifetime"
        "A personal token counts for 24 hours at most, and for a second at least.";
    /// The request can't prove where it comes from.
    InvalidSignature "invalid_signature" UNAUTHORIZED "Invalid signature"
        "invalid signature";
    /// The API token is missing, unknown or expired.
    InvalidToken "invalid_token" UNAUTHORIZED "Invalid token"
        "invalid token";
    /// The token is good, but not for this.
    InsufficientScope "insufficient_scope" FORBIDDEN "Insufficient scope"
        "The token does not allow this.";
    /// The token is good, and stands for nobody.
    PersonRequired "person_required" FORBIDDEN "Person required"
        "This takes a person: use a personal token, which no bootstrap or automation token can replace.";
    /// No such route.
    NotFound "not_found" NOT_FOUND "Not found"
        "There is nothing at this path.";
    /// No such alert, or not one of that tenant.
    AlertNotFound "alert_not_found" NOT_FOUND "Alert not found"
        "There is no such alert.";
    /// No such tenant.
    TenantNotFound "tenant_not_found" NOT_FOUND "Tenant not found"
        "There is no such tenant.";
    /// A reason that says nothing, or too much.
    InvalidReason "invalid_reason" BAD_REQUEST "Invalid reason"
        "A reason has 1 to 1024 characters.";
    /// A reason for breaking the glass that says too little.
    InvalidBreakGlassReason "invalid_break_glass_reason" BAD_REQUEST "Invalid break-glass reason"
        "A reason for breaking the glass has 16 to 1024 characters.";
    /// No such incident, or it is over.
    IncidentNotFound "incident_not_found" NOT_FOUND "Incident not found"
        "There is no such incident, or it is over.";
    /// Nothing of that alert was proposed.
    ProposalNotFound "proposal_not_found" NOT_FOUND "Proposal not found"
        "Nothing of this alert waits for a decision.";
    /// No such action of that tenant.
    ActionNotFound "action_not_found" NOT_FOUND "Action not found"
        "There is no such action.";
    /// Whoever proposed it wants to approve it.
    SelfApprovalDenied "self_approval_denied" FORBIDDEN "Self-approval denied"
        "Whoever proposed an action cannot approve it.";
    /// The policies say no.
    PolicyDenied "policy_denied" FORBIDDEN "Policy denied"
        "The policies do not permit it.";
    /// The blast radius leaves no room, or it is done already.
    ContainmentWithheld "containment_withheld" FORBIDDEN "Containment withheld"
        "The tenant's limits hold this action back.";
    /// Somebody has stopped containment.
    ContainmentHalted "containment_halted" FORBIDDEN "Containment halted"
        "Containment is halted, for this tenant or for all.";
    /// The chains are not what was signed of them.
    AuditIntegrityFailed "audit_integrity_failed" SERVICE_UNAVAILABLE "Audit integrity failed"
        "The audit log is not what was signed of it, so nothing is done to hosts until somebody has looked.";
    /// Nobody can say what was signed of a chain that is to lose entries.
    AuditLogUnavailable "audit_log_unavailable" SERVICE_UNAVAILABLE "Audit log unavailable"
        "The signed log cannot be looked at now, so nobody would know what is lost; nothing was given up.";
    /// Nothing of the chain is signed.
    NothingSigned "nothing_signed" NOT_FOUND "Nothing signed"
        "Nothing of this chain is signed yet.";
    /// Everything is as it was signed.
    IntegrityIsWhole "integrity_is_whole" CONFLICT "Integrity is whole"
        "Everything is as it was signed: there is nothing to accept.";
    /// The key before the one in force signs too.
    KeyOverlapRuns "key_overlap_runs" CONFLICT "Key overlap runs"
        "The key before the one in force still signs the log too; wait until that is over, or rotate with overlap_s 0.";
    /// The digest is not that of what waits.
    DigestMismatch "digest_mismatch" CONFLICT "Digest mismatch"
        "What was shown is not what waits for a decision.";
    /// It was decided before.
    IllegalTransition "illegal_transition" CONFLICT "Illegal transition"
        "It was decided before.";
    /// The action does not stand so that this could be done.
    ActionNotReady "action_not_ready" CONFLICT "Action not ready"
        "The action does not stand so that this could be done.";
    /// The same request is being carried out.
    InFlight "in_flight" CONFLICT "In flight"
        "The same request is being carried out; ask again for its answer.";
    /// The request is known with another body.
    IdempotencyMismatch "idempotency_mismatch" CONFLICT "Idempotency mismatch"
        "A request of this id was known with another body.";
    /// The incident that was named is another one.
    IncidentMismatch "incident_mismatch" CONFLICT "Incident mismatch"
        "The incident that was named is not the one of this action.";
    /// Its time is over.
    ApprovalExpired "approval_expired" GONE "Approval expired"
        "Its time is over; what is still needed is proposed again with the next alert.";
    /// It was approved too long ago, or in the future.
    ApprovalStale "approval_stale" GONE "Approval stale"
        "approved_at is more than 30 seconds from now.";
    /// The approval could not be signed.
    SigningUnavailable "signing_unavailable" SERVICE_UNAVAILABLE "Signing unavailable"
        "The tenant has no key to sign approvals with.";
    /// No such person.
    PersonNotFound "person_not_found" NOT_FOUND "Person not found"
        "There is no such person.";
    /// The account does not stand for that person.
    LinkNotFound "link_not_found" NOT_FOUND "Link not found"
        "The account does not stand for that person.";
    /// The tenant has no such credential in force.
    CredentialNotFound "credential_not_found" NOT_FOUND "Credential not found"
        "The tenant has no such credential, or it does not open.";
    /// No such token, or no longer.
    TokenNotFound "token_not_found" NOT_FOUND "Token not found"
        "There is no such token: it was revoked, has expired, or never was.";
    /// No dead letter of that number, or no longer.
    DeadLetterNotFound "dead_letter_not_found" NOT_FOUND "Dead letter not found"
        "There is no such dead letter: it was redriven or discarded, or newer ones pushed it out.";
    /// No such actor in the tree.
    ActorNotFound "actor_not_found" NOT_FOUND "Actor not found"
        "There is no such actor in the tree.";
    /// The route exists, for another method.
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED "Method not allowed"
        "This path answers to other methods; see the Allow header.";
    /// The client was too slow.
    RequestTimeout "request_timeout" REQUEST_TIMEOUT "Request timeout"
        "The request took too long to arrive.";
    /// Somebody is still to decide by it.
    EvidenceInUse "evidence_in_use" CONFLICT "Evidence in use"
        "The alert waits for a verdict, a decision or an outcome, and keeps its evidence until then.";
    /// It is that of other alerts as well.
    EvidenceShared "evidence_shared" CONFLICT "Evidence shared"
        "The alert came in one body with others; say shared=true to erase the evidence of all of them.";
    /// Something would be left without anybody to see to it.
    TenantInUse "tenant_in_use" CONFLICT "Tenant in use"
        "Actions of this tenant are under way or hold hosts; the member actions names them.";
    /// The tenant was there, and its chain still is.
    TenantRemoved "tenant_removed" CONFLICT "Tenant removed"
        "A tenant of that name was removed; its chain stays, so the name is not given again.";
    /// The tenant is there already.
    TenantExists "tenant_exists" CONFLICT "Tenant exists"
        "There is a tenant of that name.";
    /// The account is another tenant's.
    AccountTaken "account_taken" CONFLICT "Account taken"
        "The account belongs to another tenant.";
    /// The person is there already.
    PersonExists "person_exists" CONFLICT "Person exists"
        "There is a person of that name.";
    /// No room for a further person.
    PersonLimit "person_limit" CONFLICT "Person limit"
        "This host knows as many people as it can.";
    /// The account stands for somebody else.
    AccountLinked "account_linked" CONFLICT "Account linked"
        "The account stands for another person.";
    /// No room for a further token.
    TokenLimit "token_limit" CONFLICT "Token limit"
        "The person has 4 tokens that count; revoke one, or wait until one expires.";
    /// The tenant has no place in chat.
    ChatNotLinked "chat_not_linked" CONFLICT "Chat not linked"
        "The tenant has no place in chat; make a code and claim one with it.";
    /// No room for a further tenant.
    TenantLimit "tenant_limit" CONFLICT "Tenant limit"
        "This host has as many tenants as limits.tenant_max allows.";
    /// There is no halt that could be lifted.
    NotHalted "not_halted" CONFLICT "Not halted"
        "Containment is not halted there.";
    /// One is under way.
    BacktestRunning "backtest_running" CONFLICT "Backtest running"
        "There is one backtest at a time, and one is under way.";
    /// One is under way.
    BackupRunning "backup_running" CONFLICT "Backup running"
        "There is one backup at a time, and one is under way.";
    /// Only the record of the message is there.
    DeadLetterNotKept "dead_letter_not_kept" CONFLICT "Dead letter not kept"
        "Only the record of this dead letter was kept, not its message.";
    /// The body is too long.
    PayloadTooLarge "payload_too_large" PAYLOAD_TOO_LARGE "Payload too large"
        "The body is longer than this server takes.";
    /// The body is not JSON by its own account.
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE "Unsupported media type"
        "Send application/json, not encoded.";
    /// The vendor does not accept the credential.
    CredentialRefused "credential_refused" UNPROCESSABLE_ENTITY "Credential refused"
        "The vendor does not accept the credential.";
    /// Too many requests from there.
    RateLimited "rate_limited" TOO_MANY_REQUESTS "Rate limited"
        "Too many requests; try again after the time in Retry-After.";
    /// The tenant's containments are used up for now.
    ContainmentBudget "containment_budget" TOO_MANY_REQUESTS "Containment budget used up"
        "The tenant's containments are used up for now; try again after the time in Retry-After.";
    /// A defect of ours.
    Internal "internal" INTERNAL_SERVER_ERROR "Internal error"
        "The server failed; its log says more.";
    /// It could not be written down, so it did not happen.
    NotDurable "not_durable" INTERNAL_SERVER_ERROR "Not durable"
        "It could not be made durable, so nothing was sent.";
    /// The vendor will not do it.
    VendorRefused "vendor_refused" BAD_GATEWAY "Vendor refused"
        "The vendor refuses the action, for good.";
    /// Nothing reached the vendor.
    VendorUnreachable "vendor_unreachable" BAD_GATEWAY "Vendor unreachable"
        "Nothing was sent, or nothing that had any effect. The same request may be sent again.";
    /// Something was sent and nobody can tell what it did.
    OutcomeUnknown "outcome_unknown" GATEWAY_TIMEOUT "Outcome unknown"
        "It may have happened. The vendor is read until that is known; nothing is sent twice.";
    /// No public key of a chat application is configured.
    InteractionsNotProvisioned "interactions_not_provisioned" NOT_IMPLEMENTED "Interactions not provisioned"
        "This server has no public key of a chat application.";
    /// No shared secret of trusted services is configured.
    NotifyNotProvisioned "notify_not_provisioned" NOT_IMPLEMENTED "Notifications not provisioned"
        "This server has no shared secret of trusted services.";
    /// This server speaks to no EDR, so it can ask none.
    VendorCheckUnavailable "vendor_check_unavailable" NOT_IMPLEMENTED "Vendor check unavailable"
        "This server speaks to no EDR; a credential can only be set unchecked.";
    /// The vendor could not be asked whether it accepts the credential.
    CredentialUnchecked "credential_unchecked" BAD_GATEWAY "Credential unchecked"
        "The vendor could not be asked whether it accepts the credential.";
    /// There is nowhere to write a backup to.
    BackupNotProvisioned "backup_not_provisioned" NOT_IMPLEMENTED "Backup not provisioned"
        "This server has no directory to write backups to.";
    /// No secret of trusted services is there for the tenant.
    ExecuteNotProvisioned "execute_not_provisioned" NOT_IMPLEMENTED "Containment by request not provisioned"
        "There is no secret that trusted services could sign this tenant's actions with.";
    /// The vendor's API has no such action.
    UnsupportedAction "unsupported_action" NOT_IMPLEMENTED "Unsupported action"
        "The vendor's API has no such action. It is not replaced by another one.";
    /// There is nothing to repair.
    ChainNotHeld "chain_not_held" CONFLICT "Chain not held"
        "The chain is not held: there is nothing to repair.";
    /// A line that was to be restored is none of the chain, or does not follow its proven end.
    TailRefused "tail_refused" CONFLICT "Tail refused"
        "A line cannot be restored; nothing of this request was.";
    /// Entries are known to be missing, and nobody has accepted that.
    LossNotAccepted "loss_not_accepted" CONFLICT "Loss not accepted"
        "Entries that the chain once had are still missing.";
    /// The end of the tenant's chain can't be proven since a damage.
    ChainHeld "chain_held" SERVICE_UNAVAILABLE "Chain held"
        "The tenant's chain was damaged and its end can't be proven; nothing was accepted. `vyrox audit repair` says what to do.";
    /// Too many requests altogether, or one of the queues is full.
    Overloaded "overloaded" SERVICE_UNAVAILABLE "Overloaded"
        "The server is busy; try again after the time in Retry-After.";
    /// The server stops or starts.
    Unavailable "unavailable" SERVICE_UNAVAILABLE "Unavailable"
        "The server is not taking requests now; try again after the time in Retry-After.";
    /// Whoever should keep the body falls over it; an operator has to look.
    Quarantined "quarantined" SERVICE_UNAVAILABLE "Quarantined"
        "The server falls over this body and could not even keep it; its dead letters say where.";
    /// The answer was not ready in time; what was asked may still happen.
    TimedOut "timed_out" SERVICE_UNAVAILABLE "Timed out"
        "The answer was not ready in time. Send the same request again: a repeat is recognised.";
    /// The disk failed; nothing is accepted until a restart has recovered.
    JournalUnavailable "journal_unavailable" SERVICE_UNAVAILABLE "Journal unavailable"
        "The journal can't be written; nothing was accepted.";
    /// The last room of the disk is kept for what is under way.
    StorageFull "storage_full" SERVICE_UNAVAILABLE "Storage full"
        "The disk is nearly full; what is left is kept for what is under way. Nothing of this was accepted.";
    /// The tenant has sent as much as it may in a day.
    DailyQuota "daily_quota_exceeded" TOO_MANY_REQUESTS "Daily quota exceeded"
        "The tenant has sent as much as it may in a day (UTC).";
    /// The tenant's disk is used up.
    QuotaExceeded "quota_exceeded" INSUFFICIENT_STORAGE "Quota exceeded"
        "The tenant has used up its storage.";
}

impl Code {
    /// Whether this is a failed authentication, about which nothing more is said.
    pub const fn is_authentication(self) -> bool {
        matches!(self, Self::InvalidSignature | Self::InvalidToken)
    }

    /// Whether the client is told when to come back.
    pub(super) const fn can_be_retried(self) -> bool {
        matches!(
            self.status(),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        )
    }

    /// The `WWW-Authenticate` header.
    pub(super) const fn challenge(self) -> Option<&'static str> {
        match self {
            Self::InvalidSignature => Some("Vyrox-Signature"),
            Self::InvalidToken => Some("Bearer"),
            _ => None,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
