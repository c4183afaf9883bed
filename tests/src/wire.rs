//! A connection that is kept, with as little work for each request as can be: what
//! many clients at once are made of.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::Reply;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// One connection. What is sent is answered in order.
#[derive(Debug)]
pub struct Wire {
    stream: BufReader<TcpStream>,
    request: Vec<u8>,
    line: String,
}

impl Wire {
    /// Connects.
    ///
    /// # Errors
    /// If nobody listens.
    pub fn connect(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream), request: Vec::new(), line: String::new() })
    }

    /// Sends a request with a JSON body, and does not wait.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn send(&mut self, method: &str, path: &str, body: &[u8]) -> io::Result<()> {
        self.request.clear();
        write!(
            self.request,
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        )?;
        self.request.extend_from_slice(body);
        self.stream.get_mut().write_all(&self.request)
    }

    /// Waits for the next answer.
    ///
    /// # Errors
    /// If there is none.
    pub fn receive(&mut self) -> io::Result<Reply> {
        let cut_off = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let status = self.next_line()?.split(' ').nth(1).and_then(|status| status.parse().ok());
        let (status, mut length, mut headers) = (status.ok_or_else(cut_off)?, 0, Vec::new());
        loop {
            let line = self.next_line()?;
            let Some((name, value)) = line.split_once(": ") else { break };
            let name = name.to_ascii_lowercase();
            if name == "content-length" {
                length = value.parse().map_err(io::Error::other)?;
            }
            headers.push((name, value.to_owned()));
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(Reply { status, headers, body })
    }

    fn next_line(&mut self) -> io::Result<&str> {
        self.line.clear();
        if self.stream.read_line(&mut self.line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(self.line.trim_end())
    }
}
