//! A language model's endpoint as its documentation has it, on a real socket. It is strict about what it is
//! asked, and as ill-behaved in its answers as a test wants it.

use std::{
    io,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// The key that the endpoint knows.
pub(crate) const KEY: &str = "sk-7Hq2Lw9ZtVn4Xc1B";

/// What the endpoint does with a question.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// A completion with this text.
    Say(String),
    /// A completion that ends this way.
    End {
        reason: &'static str,
        message: Value,
    },
    /// Status, headers after the first line, body.
    Send(u16, &'static str, Vec<u8>),
    /// These bytes, then the end of the connection.
    Raw(Vec<u8>),
    /// These bytes and no more, for as long as the other side waits.
    Stall(Vec<u8>),
    /// Nothing, for as long as the other side waits.
    Silence,
    /// An answer that never ends.
    Endless,
}

/// The running endpoint; it ends with the runtime of its test.
pub(crate) struct Endpoint {
    pub(crate) base: String,
    state: Arc<State>,
}

/// What is done with question number n, whose body is this.
type Script = Box<dyn Fn(usize, &Value) -> Act + Send + Sync>;

struct State {
    act: Script,
    asked: Mutex<Vec<Value>>,
    faults: Mutex<Vec<String>>,
    /// Bytes of endless answers that were taken; says when the other side has hung up.
    endless: watch::Sender<Option<usize>>,
}

impl Endpoint {
    /// Acts on question number n (from 0) with body b as `act(n, b)` says.
    pub(crate) async fn start(act: impl Fn(usize, &Value) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}/v1", listener.local_addr().expect("bound"));
        let state = Arc::new(State {
            act: Box::new(act),
            asked: Mutex::default(),
            faults: Mutex::default(),
            endless: watch::Sender::new(None),
        });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    // The other side may hang up whenever it likes.
                    serve(stream, &state).await.ok();
                });
            }
        });
        Self { base, state }
    }

    /// Always does the same.
    pub(crate) async fn always(act: Act) -> Self {
        Self::start(move |_, _| act.clone()).await
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Value> {
        self.state.asked.lock().expect("whole").clone()
    }

    /// What in the requests was against the contract.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.state.faults.lock().expect("whole").clone()
    }

    /// How much of an endless answer was taken before the other side hung up.
    pub(crate) async fn taken(&self) -> usize {
        let mut seen = self.state.endless.subscribe();
        let taken = seen.wait_for(Option::is_some).await.expect("the endpoint");
        taken.expect("hung up")
    }
}

async fn serve(stream: TcpStream, state: &State) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            if line.trim().is_empty() {
                break;
            }
            head.push(line.trim().to_owned());
        }
        let mut body = vec![0; length(&head)];
        stream.read_exact(&mut body).await?;
        let body = match checked(&head, &body) {
            Ok(body) => body,
            Err(fault) => {
                state.faults.lock().expect("whole").push(fault.clone());
                send(&mut stream, 422, "", fault.as_bytes()).await?;
                continue;
            }
        };
        let number = {
            let mut asked = state.asked.lock().expect("whole");
            asked.push(body.clone());
            asked.len() - 1
        };
        if !perform(&mut stream, (state.act)(number, &body), state).await? {
            return Ok(());
        }
    }
}

/// Whether the connection goes on.
async fn perform(stream: &mut BufReader<TcpStream>, act: Act, state: &State) -> io::Result<bool> {
    match act {
        Act::Say(text) => {
            let message = json!({"role": "assistant", "content": text, "refusal": null});
            let body = completion("stop", &message);
            send(stream, 200, "content-type: application/json\r\n", &body).await?;
        }
        Act::End { reason, message } => {
            let body = completion(reason, &message);
            send(stream, 200, "content-type: application/json\r\n", &body).await?;
        }
        Act::Send(status, headers, body) => send(stream, status, headers, &body).await?,
        Act::Raw(bytes) => {
            stream.write_all(&bytes).await?;
            stream.flush().await?;
            return Ok(false);
        }
        Act::Stall(bytes) => {
            stream.write_all(&bytes).await?;
            return hold(stream).await;
        }
        Act::Silence => return hold(stream).await,
        Act::Endless => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"x\":\"";
            stream.write_all(head.as_bytes()).await?;
            let mut taken = 0_usize;
            let chunk = vec![b'x'; 16 * 1024];
            while let Ok(()) = stream.write_all(&chunk).await {
                taken += chunk.len();
            }
            state.endless.send_replace(Some(taken));
            return Ok(false);
        }
    }
    Ok(true)
}

async fn hold(stream: &mut BufReader<TcpStream>) -> io::Result<bool> {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await?;
    Ok(false)
}

async fn send(
    stream: &mut BufReader<TcpStream>,
    status: u16,
    headers: &str,
    body: &[u8],
) -> io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} Some\r\n{headers}content-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    stream.flush().await
}

fn completion(reason: &str, message: &Value) -> Vec<u8> {
    let completion = json!({
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "choices": [{"index": 0, "finish_reason": reason, "message": message}],
        "usage": {"prompt_tokens": 900, "completion_tokens": 40, "total_tokens": 940},
    });
    completion.to_string().into_bytes()
}

fn header<'a>(head: &'a [String], wanted: &str) -> Option<&'a str> {
    head.iter().skip(1).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case(wanted).then_some(value.trim())
    })
}

fn length(head: &[String]) -> usize {
    let length = header(head, "content-length");
    length.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The body, if the request is what the documentation asks for.
fn checked(head: &[String], body: &[u8]) -> Result<Value, String> {
    let wants = |right: bool, what: &str| right.then_some(()).ok_or_else(|| what.to_owned());
    let first = head.first().map_or("", String::as_str);
    wants(first == "POST /v1/chat/completions HTTP/1.1", first)?;
    let bearer = format!("Bearer {KEY}");
    wants(header(head, "authorization") == Some(&bearer), "the key")?;
    wants(
        header(head, "content-type") == Some("application/json"),
        "the content type",
    )?;
    wants(
        header(head, "accept-encoding").is_none(),
        "compression is asked for",
    )?;
    let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let object = body.as_object().ok_or("no object")?;
    let mut names: Vec<_> = object.keys().map(String::as_str).collect();
    names.sort_unstable();
    wants(
        names
            == [
                "max_tokens",
                "messages",
                "model",
                "response_format",
                "temperature",
            ],
        "other members",
    )?;
    wants(body["model"] == "test-model", "the model")?;
    wants(
        body["temperature"] == 0 && body["max_tokens"] == 300,
        "the numbers",
    )?;
    let messages = body["messages"].as_array().ok_or("no messages")?;
    let roles: Vec<_> = messages.iter().map(|message| &message["role"]).collect();
    wants(roles == ["system", "user"], "the roles")?;
    let format = &body["response_format"];
    match format["type"].as_str() {
        Some("json_schema") => {
            let schema = &format["json_schema"];
            wants(
                schema["strict"] == true && schema["name"] == "review",
                "the schema's frame",
            )?;
            strict(&schema["schema"])?;
        }
        Some("json_object") => {
            let prompt = messages[0]["content"].as_str().unwrap_or("");
            wants(prompt.contains("JSON"), "a prompt that speaks of JSON")?;
        }
        _ => return Err("the response format".into()),
    }
    Ok(body)
}

/// What strict endpoints ask of a schema: every member required, no others, no bounds.
fn strict(schema: &Value) -> Result<(), String> {
    let properties = schema["properties"].as_object().ok_or("no properties")?;
    let required = schema["required"].as_array().ok_or("nothing required")?;
    let all = properties
        .keys()
        .all(|name| required.iter().any(|one| one == name));
    if !all || schema["additionalProperties"] != false {
        return Err("a schema that is not strict".into());
    }
    let known = ["type", "enum", "description", "items"];
    for (name, property) in properties {
        let members = property.as_object().ok_or("a property")?;
        if let Some(unknown) = members.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(format!("{unknown} of {name}"));
        }
    }
    Ok(())
}
