//! Services elsewhere, as far as the configuration names them.

use std::{
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use anyhow::Context as _;
use vyrox_actors::{
    edr::Edrs,
    keyring::DISCORD_BOT_TOKEN,
    outbound::{Chat, Llm, Mailer, Pager},
    ports::{Outside, World},
};

use crate::{
    config::{Config, Secret},
    connectors::{
        SetupFault,
        discord::Discord,
        edr::{EdrFactory, EdrSettings, WireSettings},
        email::Email,
        llm::LlmEndpoint,
        pagerduty::Pagerduty,
    },
};

/// What is spoken to, and the bot by its own name.
pub(super) struct Connected {
    pub(super) outside: Outside,
    pub(super) discord: Option<Discord>,
    world: Arc<OnceLock<Weak<World>>>,
}

impl Connected {
    /// Sets up what is configured; nothing is called yet.
    ///
    /// # Errors
    /// What cannot be set up, with the setting that asks for it.
    pub(super) fn new(config: &Config) -> anyhow::Result<Self> {
        let world = Arc::<OnceLock<Weak<World>>>::default();
        let discord = bot(config, &world).context("the bot of [discord]")?;
        let chat = discord.clone().map(|bot| Arc::new(bot) as Arc<dyn Chat>);
        Ok(Self {
            outside: Outside {
                chat,
                pager: pager(config)?,
                mailer: mailer(config)?,
                llm: llm(config)?,
                edrs: Some(edrs(config)),
            },
            discord,
            world,
        })
    }

    /// The world stands: secrets that are sealed in it can be read from now on.
    pub(super) fn in_world(&self, world: &Arc<World>) {
        // There is one world; nobody else fills it.
        self.world.set(Arc::downgrade(world)).ok();
    }
}

/// The bot, where there is an application. Its token may come later, by command, and then wins over one
/// of the configuration.
fn bot(config: &Config, world: &Arc<OnceLock<Weak<World>>>) -> anyhow::Result<Option<Discord>> {
    let settings = &config.discord;
    if settings.application_id.is_none() && settings.bot_token.is_none() {
        return Ok(None);
    }
    let (world, configured) = (Arc::clone(world), settings.bot_token.clone());
    let token = move || {
        let world = world.get().and_then(Weak::upgrade);
        let sealed = world.and_then(|world| {
            let keyring = world.keyring.load();
            let secret = keyring.host_secret(DISCORD_BOT_TOKEN)?;
            let text = std::str::from_utf8(secret.expose()).ok()?;
            Some(Secret::new(text.to_owned()))
        });
        sealed.or_else(|| configured.clone())
    };
    Discord::start(settings, Arc::new(token)).map(Some)
}

/// How long the bot waits before it offers its command again.
const OFFER_AGAIN: Duration = Duration::from_secs(30);

/// Offers `/vyrox register` to every server, again and again until Discord takes it: the token may be set
/// later, and Discord may be down.
pub(super) async fn offer_registration(bot: Discord, application_id: String) {
    let mut said = None;
    while let Err(error) = bot.offer_registration(&application_id).await {
        if said.as_ref() != Some(&error) {
            tracing::warn!(%error, "servers are not offered /vyrox register yet");
            said = Some(error);
        }
        tokio::time::sleep(OFFER_AGAIN).await;
    }
    tracing::info!("servers are offered /vyrox register");
}

fn llm(config: &Config) -> anyhow::Result<Option<Arc<dyn Llm>>> {
    let endpoint = LlmEndpoint::new(&config.llm).context("the endpoint of [llm]")?;
    Ok(endpoint.map(|endpoint| Arc::new(endpoint) as Arc<dyn Llm>))
}

fn pager(config: &Config) -> anyhow::Result<Option<Arc<dyn Pager>>> {
    let pager = Pagerduty::new(&config.pagerduty).map_err(unfit)?;
    Ok(pager.map(|pager| Arc::new(pager) as Arc<dyn Pager>))
}

fn mailer(config: &Config) -> anyhow::Result<Option<Arc<dyn Mailer>>> {
    let mailer = Email::new(&config.email).map_err(unfit)?;
    Ok(mailer.map(|mailer| Arc::new(mailer) as Arc<dyn Mailer>))
}

/// Connections to EDRs are made when a tenant has a credential.
fn edrs(config: &Config) -> Arc<dyn Edrs> {
    let wire = WireSettings {
        timeout: Duration::from_secs(config.edr.timeout_s),
        allow_private: config.edr.allow_private,
    };
    Arc::new(EdrFactory::new(EdrSettings { wire }))
}

fn unfit(fault: SetupFault) -> anyhow::Error {
    anyhow::anyhow!("{}: {}", fault.key, fault.message)
}
