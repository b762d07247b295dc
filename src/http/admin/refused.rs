//! Why the registry refused, as the API says it.

use vyrox_actors::registry::RegistryError;
use vyrox_domain::host::HostRefusal;

use crate::http::problem::{Code, Problem};

pub(super) fn registry_problem(error: &RegistryError) -> Problem {
    let code = match error {
        RegistryError::Refused(refusal) => code_of(refusal),
        RegistryError::WeakSecret(_) => Code::InvalidSecret,
        RegistryError::TooManyTries => Code::RateLimited,
        RegistryError::NoRoom => Code::Overloaded,
        RegistryError::Held => Code::ChainHeld,
        RegistryError::NotDurable(why) => {
            tracing::error!(why, "a change of the host came to nothing");
            return Code::JournalUnavailable.into();
        }
    };
    Problem::new(code).detail(error.to_string())
}

fn code_of(refusal: &HostRefusal) -> Code {
    match refusal {
        HostRefusal::TenantExists => Code::TenantExists,
        HostRefusal::TenantWasRemoved => Code::TenantRemoved,
        HostRefusal::UnknownTenant => Code::TenantNotFound,
        HostRefusal::AccountTaken(_) | HostRefusal::GuildTaken => Code::AccountTaken,
        HostRefusal::TooManyTenants(_) => Code::TenantLimit,
        HostRefusal::UnknownWebhook | HostRefusal::BadWebhooks => Code::InvalidWebhook,
        HostRefusal::PersonExists => Code::PersonExists,
        HostRefusal::UnknownPerson => Code::PersonNotFound,
        HostRefusal::TooManyPeople => Code::PersonLimit,
        HostRefusal::AccountLinked => Code::AccountLinked,
        HostRefusal::NotLinked => Code::LinkNotFound,
        HostRefusal::TooManyLinks | HostRefusal::BadChatId => Code::InvalidLink,
        HostRefusal::TooManyTokens => Code::TokenLimit,
        HostRefusal::UnknownToken => Code::TokenNotFound,
        HostRefusal::BadLifetime => Code::InvalidLifetime,
        HostRefusal::NoChat => Code::ChatNotLinked,
        HostRefusal::NoSuchEdr => Code::InvalidCredential,
        HostRefusal::NoCredential => Code::CredentialNotFound,
        HostRefusal::BadReason => Code::InvalidReason,
        HostRefusal::NotHalted => Code::NotHalted,
        HostRefusal::WrongCode | HostRefusal::NothingToDo => Code::InvalidRequest,
    }
}
