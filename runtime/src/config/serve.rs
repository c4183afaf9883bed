//! What `chancery serve` may be told, as the settings of the engine.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::text::{Bytes, Keep, Kept};
use super::{Error, Key, Layers, Text, key};
use crate::http::{Hosts, Origins};
use crate::value::Name;
use crate::{engine, server};

/// The default port: arbitrary, and easy to type.
const PORT: u16 = 7070;
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// A server's configuration.
#[derive(Debug, Clone)]
pub struct Serve {
    /// An app that is there from the start.
    pub app: Name,
    /// The address to listen on.
    pub listen: SocketAddr,
    /// How long to wait at the end for what has been accepted.
    pub drain_max: Duration,
    /// What the engine may use.
    pub engine: engine::Settings,
    /// Requests that follow events at one time.
    pub followers_max: usize,
    /// Whether ad-hoc queries are answered.
    pub adhoc: bool,
    /// By which names the server may be asked.
    pub hosts: Hosts,
    /// The origins whose pages may use it, besides its own.
    pub origins: Origins,
}

impl Layers {
    /// A server's configuration, as far as it can be checked without starting it.
    ///
    /// # Errors
    /// [`Error::Value`] for the first value that cannot be.
    pub fn serve(&mut self) -> Result<Serve, Error> {
        let app = self.app()?;
        let listen = self.listen()?;
        let data = self.data()?;
        let backups = self.setting(key::BACKUPS, data.join("backups"))?.value;
        let least = Duration::ZERO;
        let drain_max = self.within(key::DRAIN_MAX, server::DRAIN_MAX, least..=HOUR)?;
        let mut engine = engine::Settings { backups, ..engine::Settings::new(data) };
        self.handlers(&mut engine)?;
        self.lane(&mut engine)?;
        self.webhooks(&mut engine)?;
        self.files(&mut engine)?;
        let followers = u32::try_from(server::FOLLOWERS_MAX).unwrap_or(u32::MAX);
        let followers = self.within(key::FOLLOWERS_MAX, followers, 0..=100_000)?;
        let followers_max = in_memory(followers.into());
        // There are no permissions yet: they are for those who have the machine.
        let adhoc = self.setting(key::ADHOC, listen.ip().is_loopback())?.value;
        // What others reach has names that only its operator knows, and something in front
        // of it that decides who may.
        let hosts = if listen.ip().is_loopback() { Hosts::default() } else { Hosts::any() };
        let hosts = self.setting(key::HOSTS, hosts)?.value;
        let origins = self.setting(key::CORS_ORIGINS, Origins::default())?.value;
        Ok(Serve { app, listen, drain_max, engine, followers_max, adhoc, hosts, origins })
    }

    /// The data directory.
    ///
    /// # Errors
    /// Never: any text is a path.
    pub fn data(&mut self) -> Result<PathBuf, Error> {
        Ok(self.setting(key::DATA, PathBuf::from("./chancery-data"))?.value)
    }

    /// There are no permissions yet: whoever can connect can do everything. So
    /// only this machine can, unless the operator insists.
    fn listen(&mut self) -> Result<SocketAddr, Error> {
        let default = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
        let listen = self.setting(key::LISTEN, default)?;
        let insecure = self.setting(key::INSECURE_BIND, false)?.value;
        if listen.value.ip().is_loopback() || insecure {
            return Ok(listen.value);
        }
        let reason = "other machines could connect, and there are no permissions yet: whoever \
                      connects may read, change and deploy everything; use 127.0.0.1, or say \
                      --insecure-bind if something in front of the server decides who may"
            .to_owned();
        let value = listen.value.to_text();
        Err(Error::Value { key: key::LISTEN, value, origin: listen.source, reason })
    }

    fn handlers(&mut self, engine: &mut engine::Settings) -> Result<(), Error> {
        let ms = Duration::from_millis(1);
        let wasm = &mut engine.wasm;
        // The other half of the instances is for commands.
        let most = wasm.instances_max / 2;
        let queries = u32::try_from(engine.queries_max).unwrap_or(most).min(most);
        engine.queries_max = in_memory(self.within(key::QUERIES_MAX, queries, 1..=most)?.into());
        let live = u32::try_from(engine.live_queries_max).unwrap_or(u32::MAX);
        let live = self.within(key::LIVE_QUERIES_MAX, live, 0..=4000)?;
        engine.live_queries_max = in_memory(live.into());
        engine.live_queries_rate =
            self.within(key::LIVE_QUERIES_RATE, engine.live_queries_rate, 1..=1000)?;
        wasm.query_deadline = self.within(key::QUERY_DEADLINE, wasm.query_deadline, ms..=HOUR)?;
        wasm.command_deadline =
            self.within(key::COMMAND_DEADLINE, wasm.command_deadline, ms..=HOUR)?;
        let memory = MIB..=GIB;
        self.bytes(key::QUERY_MEMORY_MAX, &mut wasm.query_memory_bytes_max, memory.clone())?;
        self.bytes(key::COMMAND_MEMORY_MAX, &mut wasm.command_memory_bytes_max, memory)?;
        wasm.script_snapshots = self.setting(key::SCRIPT_SNAPSHOTS, true)?.value;
        let kept = Kept(code_cache());
        wasm.code_cache = self.setting(key::CODE_CACHE, kept)?.value.0;
        // A live instance is replaced at half of what it may have.
        wasm.live_memory_bytes_max = wasm.command_memory_bytes_max / 2;
        self.bytes(key::UPLOAD_MAX, &mut wasm.upload_bytes_max, KIB..=256 * MIB)
    }

    fn lane(&mut self, engine: &mut engine::Settings) -> Result<(), Error> {
        let lane = &mut engine.lane;
        let entries = u32::try_from(lane.inbox_entries_max).unwrap_or(u32::MAX);
        let entries = self.within(key::INBOX_MAX, entries, 1..=1_000_000)?;
        lane.inbox_entries_max = in_memory(entries.into());
        self.bytes(key::INBOX_BYTES_MAX, &mut lane.inbox_bytes_max, MIB..=4 * GIB)?;
        lane.chain_depth_max = self.within(key::CHAIN_DEPTH, lane.chain_depth_max, 1..=10_000)?;
        let (ms, reactions) = (Duration::from_millis(1), &mut engine.reactions);
        reactions.retries = self.within(key::REACTION_RETRIES, reactions.retries, 0..=20)?;
        reactions.pause = self.within(key::REACTION_PAUSE, reactions.pause, ms..=HOUR)?;
        lane.window = self.within(key::WINDOW, lane.window, HOUR..=HOUR * 24 * 30)?;
        let held = Bytes(lane.held.bytes_max);
        let held = self.within(key::HELD_BYTES_MAX, held, Bytes(0)..=Bytes(64 * GIB))?;
        lane.held.bytes_max = held.0;
        let age = SECOND..=HOUR * 24;
        lane.held.age_max = self.within(key::HELD_AGE_MAX, lane.held.age_max, age)?;
        Ok(())
    }

    fn webhooks(&mut self, engine: &mut engine::Settings) -> Result<(), Error> {
        let (ms, webhooks) = (Duration::from_millis(1), &mut engine.webhooks);
        webhooks.targets = self.setting(key::WEBHOOK_TARGETS, webhooks.targets.clone())?.value;
        let time = ms..=SECOND * 60;
        webhooks.timeout = self.within(key::WEBHOOK_TIMEOUT, webhooks.timeout, time)?;
        webhooks.retries = self.within(key::WEBHOOK_RETRIES, webhooks.retries, 0..=100)?;
        webhooks.pause = self.within(key::WEBHOOK_PAUSE, webhooks.pause, ms..=HOUR)?;
        Ok(())
    }

    fn files(&mut self, engine: &mut engine::Settings) -> Result<(), Error> {
        let segment = Bytes(engine.log.segment_bytes);
        let range = Bytes(64 * KIB)..=Bytes(4 * GIB);
        engine.log.segment_bytes = self.within(key::SEGMENT_BYTES, segment, range.clone())?.0;
        let keeper = &mut engine.keeper;
        let bytes = Bytes(keeper.checkpoint_bytes);
        keeper.checkpoint_bytes = self.within(key::CHECKPOINT_BYTES, bytes, range)?.0;
        let age = SECOND..=HOUR * 24;
        keeper.checkpoint_after =
            self.within(key::CHECKPOINT_AFTER, keeper.checkpoint_after, age)?;
        self.retention(engine)?;
        let low = Bytes(engine.disk_low_bytes);
        engine.disk_low_bytes = self.within(key::DISK_LOW, low, Bytes(0)..=Bytes(1024 * GIB))?.0;
        Ok(())
    }

    /// A receipt has to be there for as long as its command may be sent again.
    fn retention(&mut self, engine: &mut engine::Settings) -> Result<(), Error> {
        let (window, keeper) = (engine.lane.window, &mut engine.keeper);
        let most = HOUR * 24 * 3650;
        let receipts = self.setting(key::RECEIPTS_KEEP, keeper.receipts_keep.max(window))?;
        if receipts.value < window || receipts.value > most {
            let (value, origin) = (receipts.value.to_text(), receipts.source);
            let reason =
                format!("not below the window, {}, nor above {}", window.to_text(), most.to_text());
            return Err(Error::Value { key: key::RECEIPTS_KEEP, value, origin, reason });
        }
        keeper.receipts_keep = receipts.value;
        keeper.payloads_keep = self.within(key::PAYLOADS_KEEP, receipts.value, HOUR..=most)?;
        let least = Keep(Some(HOUR));
        let events = Keep(keeper.events_keep);
        keeper.events_keep = self.within(key::EVENTS_KEEP, events, least..=Keep(None))?.0;
        let scrub = Bytes(keeper.scrub_bytes_per_s);
        keeper.scrub_bytes_per_s = self.within(key::SCRUB, scrub, Bytes(0)..=Bytes(GIB))?.0;
        Ok(())
    }

    /// Replaces a number of bytes in memory if it is set.
    fn bytes(
        &mut self,
        key: Key,
        bytes: &mut usize,
        range: RangeInclusive<u64>,
    ) -> Result<(), Error> {
        let default = Bytes(u64::try_from(*bytes).unwrap_or(u64::MAX));
        let range = Bytes(*range.start())..=Bytes(*range.end());
        *bytes = in_memory(self.within(key, default, range)?.0);
        Ok(())
    }
}

/// Where users' programs keep what they can make again, by the XDG Base Directory
/// Specification; nowhere for a user without a home.
fn code_cache() -> Option<PathBuf> {
    let given = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let caches = given.filter(|path| path.is_absolute());
    let caches = caches.or_else(|| Some(std::env::home_dir()?.join(".cache")));
    Some(caches?.join("chancery/code"))
}

/// Every range ends far below what the address space of a server holds.
fn in_memory(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
