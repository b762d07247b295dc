//! What callers do, and what they are told.

use serde_json::json;

use super::{Client, Played, Schedule};
use crate::draft::Draft;
use crate::simulation::evidence;
use crate::simulation::host::{Dead, Host};
use crate::simulation::oracle::Tried;

impl Schedule {
    pub(super) fn append_some(&mut self) -> Result<(), Dead> {
        for _ in 0..=self.dice.below(6) {
            let chain = self.dice_chain();
            self.append_one(chain)?;
        }
        while self.host.as_ref().is_some_and(Host::has_jobs) {
            let before = self.host.as_ref().map(Host::place);
            let Some(host) = &mut self.host else {
                return Err(Dead);
            };
            host.turn()?;
            let after = host.place();
            match before {
                Some((page, path)) if path == after.1 && page < after.0 => self.settled = page,
                Some((_, path)) if path == after.1 => {}
                Some(_) | None => self.settled = 1,
            }
            if self.dice.one_in(2) {
                host.work_off()?;
            }
            if self.dice.one_in(6) {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn append_one(&mut self, chain: &'static str) -> Result<(), Dead> {
        if self
            .clients
            .get(chain)
            .is_none_or(|client| client.epoch == 0)
        {
            self.open(chain)?;
        }
        let client = self.clients.get(chain).copied().unwrap_or_default();
        self.appends += 1;
        let append = self.appends;
        let drafts = self.drafts(chain, append);
        let count = crate::bytes::wide(drafts.len());
        let (mut epoch, mut last) = (client.epoch, client.last);
        match self.dice.below(40) {
            0 if epoch > 1 => {
                epoch -= 1;
                self.oracle.wrong.insert(append, "under a dead epoch");
            }
            1 => {
                last = Some(last.unwrap_or(0) + 1000);
                self.oracle.wrong.insert(append, "after the wrong seq");
            }
            _ => {
                let end = last.map_or(0, |last| last + 1) + count - 1;
                self.clients.insert(
                    chain,
                    Client {
                        epoch,
                        last: Some(end),
                    },
                );
            }
        }
        if let Some(host) = &mut self.host {
            host.append(append, (chain, epoch, last), drafts);
        }
        Ok(())
    }

    pub(super) fn drafts(&mut self, chain: &'static str, append: u64) -> Vec<Draft> {
        let of = 1 + self.dice.size_below(3);
        let mut drafts = Vec::new();
        for position in 0..of {
            self.numbers += 1;
            let number = self.numbers;
            let attachments: Vec<Vec<u8>> = (0..self.dice.below(3))
                .map(|_| {
                    let most = if self.dice.one_in(4) { 6000 } else { 300 };
                    let fill = u8::try_from(self.dice.below(4)).unwrap_or(0);
                    let rest = vec![fill; self.dice.size_below(most)];
                    [evidence::tag(number), rest].concat()
                })
                .collect();
            drafts.push(Draft {
                event: "a.b".into(),
                event_version: 1,
                actor: "system".into(),
                timestamp_ms: 1,
                alert_id: None,
                action: None,
                payload: json!({ "number": number, "z": "" }),
                attachments: attachments.clone(),
            });
            let tried = Tried {
                chain,
                attachments,
                append,
                position,
                of,
            };
            self.oracle.tried.insert(number, tried);
            self.oracle.appends.entry(append).or_default().push(number);
        }
        drafts
    }

    pub(super) fn open(&mut self, chain: &'static str) -> Result<(), Dead> {
        let Some(host) = &mut self.host else {
            return Err(Dead);
        };
        let opened = host.open(chain)?;
        let client = opened.map(|opened| Client {
            epoch: opened.epoch,
            last: opened.head.map(|head| head.seq),
        });
        self.clients.insert(chain, client.unwrap_or_default());
        Ok(())
    }

    /// Reads as callers do: a verification and some evidence.
    pub(super) fn look(&mut self) -> Result<Result<(), Dead>, String> {
        let chain = self.dice_chain();
        let Some(host) = &self.host else {
            return Ok(Err(Dead));
        };
        match host.flush(chain) {
            Ok(Ok(())) => {}
            Ok(Err(_may_pass)) => return Ok(Ok(())),
            Err(Dead) => return Ok(Err(Dead)),
        }
        let report = self.disk.quietly(|| host.verify(chain));
        match report {
            Ok(report) if !report.ok && self.oracle.harm.is_none() => {
                Err(format!("{chain} does not verify: {report:?}"))
            }
            Ok(_) => Ok(Ok(())),
            Err(error) => Err(format!("{chain} cannot be verified: {error}")),
        }
    }

    pub(super) fn take_answers(&mut self) -> Played {
        let Some(host) = &self.host else {
            return Ok(());
        };
        for (append, result) in host.answers() {
            self.disk
                .with(|state| state.note(|_| format!("  answer {append}: {result:?}")));
            self.oracle.answer(append, result)?;
        }
        if !host.has_jobs() {
            for (chain, client) in &mut self.clients {
                client.last = host.head(chain).map(|head| head.seq);
            }
        }
        Ok(())
    }
}
