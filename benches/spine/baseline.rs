//! What the machine gives at best: the same web framework that does nothing with a body but send it
//! back, and the same with every body on the disk first.

use std::{
    env,
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::FileExt as _,
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex, PoisonError},
};

use actix_web::{
    App, HttpResponse, HttpServer,
    error::ErrorInternalServerError,
    web::{self, Bytes, Data},
};
use anyhow::Context as _;
use futures_util::stream;

use crate::{
    child::{Child, LISTENING},
    report,
};

/// This program serves as a baseline when it is started with this and a name.
pub(crate) const ARGUMENT: &str = "--serve-baseline";
/// The file that bodies are appended to.
pub(crate) const FILE_ARGUMENT: &str = "--file";

/// Bytes that are streamed at a time.
const PIECE: usize = 64 * 1024;

/// Which one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Baseline {
    /// Sends the body back.
    Echo,
    /// Appends the body, syncs, sends it back; one request after the other.
    Serial,
    /// The same, but each request on a thread of its own.
    Parallel,
    /// Streams the file, in pieces as large as Vyrox sends.
    Stream,
}

/// A baseline that is told what to do.
pub(crate) struct Serving {
    baseline: Baseline,
    disk: Option<Disk>,
}

#[derive(Clone)]
struct Disk {
    file: Arc<File>,
    turn: Option<Arc<Mutex<()>>>,
}

impl Baseline {
    const ALL: [Self; 4] = [Self::Echo, Self::Serial, Self::Parallel, Self::Stream];

    fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Serial => "serial",
            Self::Parallel => "parallel",
            Self::Stream => "stream",
        }
    }

    /// Starts this program again, as this baseline.
    pub(crate) fn start(self, file: Option<PathBuf>) -> anyhow::Result<Child> {
        let mut command = Command::new(env::current_exe()?);
        command.arg(ARGUMENT).arg(self.name());
        if let Some(file) = file {
            command.arg(FILE_ARGUMENT).arg(file);
        }
        Child::start(&mut command)
    }

    pub(crate) fn parse(name: &str, file: Option<&str>) -> anyhow::Result<Serving> {
        let mut all = Self::ALL.into_iter();
        let baseline = all
            .find(|one| one.name() == name)
            .context("no such baseline")?;
        let open = |path| match baseline {
            Self::Stream => File::open(path),
            Self::Echo | Self::Serial | Self::Parallel => {
                OpenOptions::new().append(true).create(true).open(path)
            }
        };
        let file = file.map(open).transpose()?;
        let turn = (baseline == Self::Serial).then(Arc::default);
        let disk = file.map(|file| Disk {
            file: Arc::new(file),
            turn,
        });
        Ok(Serving { baseline, disk })
    }
}

impl Serving {
    /// Serves until whoever started it is gone.
    pub(crate) fn serve(self) -> anyhow::Result<()> {
        let app = move || match (self.baseline, self.disk.clone()) {
            (Baseline::Echo, _) | (_, None) => App::new().default_service(web::to(echo)),
            (Baseline::Stream, Some(disk)) => App::new()
                .app_data(Data::new(disk))
                .default_service(web::to(file)),
            (Baseline::Serial | Baseline::Parallel, Some(disk)) => App::new()
                .app_data(Data::new(disk))
                .default_service(web::to(durable_echo)),
        };
        actix_web::rt::System::new().block_on(async {
            let server = HttpServer::new(app).bind(("127.0.0.1", 0))?;
            let address = server.addrs().first().copied().context("no address")?;
            report::line(&format!("{LISTENING}{address}"));
            tokio::select! {
                ended = server.run() => ended.map_err(Into::into),
                _ = tokio::task::spawn_blocking(wait_for_the_end) => Ok(()),
            }
        })
    }
}

async fn echo(body: Bytes) -> HttpResponse {
    HttpResponse::Ok().body(body)
}

async fn durable_echo(body: Bytes, disk: Data<Disk>) -> actix_web::Result<HttpResponse> {
    let bytes = body.clone();
    let kept = web::block(move || disk.keep(&bytes)).await?;
    kept.map_err(ErrorInternalServerError)?;
    Ok(HttpResponse::Ok().body(body))
}

/// The whole file, a piece at a time.
async fn file(disk: Data<Disk>) -> HttpResponse {
    let pieces = stream::try_unfold((disk, 0), |(disk, at)| async move {
        let from = disk.clone();
        let piece = web::block(move || from.piece(at)).await;
        let piece = piece.map_err(io::Error::other)??;
        let next = at + u64::try_from(piece.len()).unwrap_or_default();
        Ok::<_, io::Error>((!piece.is_empty()).then_some((piece, (disk, next))))
    });
    HttpResponse::Ok().streaming(pieces)
}

impl Disk {
    fn piece(&self, at: u64) -> io::Result<Bytes> {
        let mut bytes = vec![0; PIECE];
        let read = self.file.read_at(&mut bytes, at)?;
        bytes.truncate(read);
        Ok(bytes.into())
    }

    fn keep(&self, bytes: &[u8]) -> io::Result<()> {
        let turn = self.turn.as_deref();
        let _turn = turn.map(|turn| turn.lock().unwrap_or_else(PoisonError::into_inner));
        (&*self.file).write_all(bytes)?;
        self.file.sync_data()
    }
}

/// Standard input ends when whoever started this process is gone, whatever ended it.
fn wait_for_the_end() {
    let mut rest = Vec::new();
    io::stdin().read_to_end(&mut rest).ok();
}
