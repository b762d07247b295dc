//! A message with a file beside it, in the form that Discord takes: `multipart/form-data` with the message in
//! `payload_json` and the file in `files[0]`.

use serde_json::{Value, json};
use vyrox_domain::digest::Digest;

use super::{json as plain, wire::Body};

/// The longest name of a file.
const NAME_MAX: usize = 64;

/// Discord takes 10 MiB in all.
const FILE_MAX_BYTES: usize = 8 << 20;

/// A file that is shown beside a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    name: String,
    bytes: Vec<u8>,
}

impl Attachment {
    /// A file of this name, in which everything but letters, digits, `.`, `-` and `_` becomes `_`. It is cut
    /// after 8 MiB.
    pub fn new(name: &str, mut bytes: Vec<u8>) -> Self {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let letters = name.chars().take(NAME_MAX);
        let name: String = letters.map(|c| if plain(c) { c } else { '_' }).collect();
        bytes.truncate(FILE_MAX_BYTES);
        Self {
            name: if name.is_empty() { "file".into() } else { name },
            bytes,
        }
    }
}

/// The body of a message, with the file if there is one.
pub(super) fn body(mut message: Value, file: Option<Attachment>) -> Body {
    let Some(file) = file else {
        return plain(&message);
    };
    if let Some(members) = message.as_object_mut() {
        let named = json!([{"id": 0, "filename": file.name}]);
        members.insert("attachments".into(), named);
    }
    let message = message.to_string();
    let boundary = boundary(&message, &file);
    let mut bytes = Vec::with_capacity(message.len() + file.bytes.len() + 512);
    bytes.extend_from_slice(
        format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"payload_json\"\r\n\
             Content-Type: application/json\r\n\r\n{message}\r\n--{boundary}\r\n\
             Content-Disposition: form-data; name=\"files[0]\"; filename=\"{}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n",
            file.name
        )
        .as_bytes(),
    );
    bytes.extend_from_slice(&file.bytes);
    bytes.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    Body {
        content_type: format!("multipart/form-data; boundary={boundary}"),
        bytes,
    }
}

/// A line that stands in neither part, because whoever wrote one of them would have to know the digest of
/// what he writes.
fn boundary(message: &str, file: &Attachment) -> String {
    let digest = Digest::of_parts(&[message.as_bytes(), &file.bytes]);
    format!("vyrox-{digest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_can_neither_break_out_of_its_name_nor_of_its_part() {
        let file = Attachment::new("a\"b\r\nX: y.json", b"--vyrox\r\n\r\n--".to_vec());
        let body = body(json!({"content": "x"}), Some(file));
        let text = String::from_utf8(body.bytes).unwrap();
        assert!(text.contains("filename=\"a_b__X__y.json\"\r\n"), "{text}");
        let boundary = body.content_type.split_once("boundary=").unwrap().1;
        assert_eq!(text.matches(boundary).count(), 3, "{text}");
        assert!(boundary.len() <= 70, "the longest that MIME allows");
        assert_eq!(Attachment::new("", Vec::new()).name, "file");
    }
}
