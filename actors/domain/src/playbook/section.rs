//! A table of a playbook, read key by key so that every fault is told and not the first.

use toml::{Table, Value};

/// How many items a list may have.
const WORDS_MAX: usize = 64;
/// How many faults of one playbook are told; the rest is much the same.
const FAULTS_MAX: usize = 64;

pub(super) struct Section<'a> {
    name: String,
    table: &'a Table,
    faults: Vec<String>,
}

impl<'a> Section<'a> {
    pub(super) fn of(name: &str, table: &'a Table) -> Self {
        Self {
            name: name.to_owned(),
            table,
            faults: Vec::new(),
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    pub(super) fn has_only(&mut self, keys: &[&str]) {
        let unknown: Vec<_> = self
            .table
            .keys()
            .filter(|key| !keys.contains(&key.as_str()))
            .collect();
        for key in unknown {
            let place = self.place(key);
            self.fault(format!(
                "{place:?} is unknown; there are {}",
                keys.join(", ")
            ));
        }
    }

    /// A text that `good` accepts; it has to be there.
    pub(super) fn text(
        &mut self,
        key: &str,
        good: impl Fn(&str) -> bool,
        wanted: &str,
    ) -> Option<String> {
        let found = match self.table.get(key) {
            Some(Value::String(text)) if good(text) => Some(text.clone()),
            _ => None,
        };
        if found.is_none() {
            self.wants(key, wanted);
        }
        found
    }

    /// A whole number from 0 to `max`; it has to be there.
    pub(super) fn number(&mut self, key: &str, max: u32) -> Option<u32> {
        let found = self
            .table
            .get(key)
            .and_then(Value::as_integer)
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| *number <= max);
        if found.is_none() {
            self.wants(key, &format!("a whole number, 0 to {max}"));
        }
        found
    }

    /// A list of texts that `good` accepts; none where the key is absent. An empty list is a fault: it
    /// could mean all or nothing.
    pub(super) fn words(
        &mut self,
        key: &str,
        good: impl Fn(&str) -> bool,
        wanted: &str,
    ) -> Vec<String> {
        let Some(value) = self.table.get(key) else {
            return Vec::new();
        };
        let words: Option<Vec<String>> = value.as_array().and_then(|items| {
            let word = |item: &Value| item.as_str().filter(|one| good(one)).map(str::to_owned);
            items.iter().map(word).collect()
        });
        match words {
            Some(words) if (1..=WORDS_MAX).contains(&words.len()) => words,
            _ => {
                self.wants(key, &format!("a list of 1 to {WORDS_MAX}, each {wanted}"));
                Vec::new()
            }
        }
    }

    /// The table under `key`; it has to be there.
    pub(super) fn inner(&mut self, key: &str) -> Option<Self> {
        let found = self.table.get(key).and_then(Value::as_table);
        if found.is_none() {
            self.wants(key, "a table");
        }
        found.map(|table| Self::of(&self.place(key), table))
    }

    /// The tables of the list under `key`; it has to be there.
    pub(super) fn inner_list(&mut self, key: &str) -> Vec<Self> {
        let items = self.table.get(key).and_then(Value::as_array);
        let tables: Option<Vec<&Table>> =
            items.and_then(|items| items.iter().map(Value::as_table).collect());
        let Some(tables) = tables else {
            self.wants(key, "a list of tables");
            return Vec::new();
        };
        let place = self.place(key);
        let named = |(at, table): (usize, &'a Table)| {
            Self::of(&format!("{place}[{}]", at.saturating_add(1)), table)
        };
        tables.into_iter().enumerate().map(named).collect()
    }

    /// Notes a fault of this section unless `holds`.
    pub(super) fn require(&mut self, holds: bool, otherwise: &str) {
        if !holds {
            let fault = match self.name.as_str() {
                "" => otherwise.to_owned(),
                name => format!("{name}: {otherwise}"),
            };
            self.fault(fault);
        }
    }

    pub(super) fn take_faults(&mut self, inner: Self) {
        for fault in inner.faults {
            self.fault(fault);
        }
    }

    pub(super) fn finish(self) -> Result<(), Vec<String>> {
        if self.faults.is_empty() {
            Ok(())
        } else {
            Err(self.faults)
        }
    }

    fn wants(&mut self, key: &str, wanted: &str) {
        let place = self.place(key);
        self.fault(format!("{place}: expected {wanted}"));
    }

    fn place(&self, key: &str) -> String {
        match self.name.as_str() {
            "" => key.to_owned(),
            name => format!("{name}.{key}"),
        }
    }

    fn fault(&mut self, fault: String) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        }
    }
}
