//! Reading `text/event-stream`, as the HTML standard says, from chunks that end anywhere.

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// `message` unless the server named it.
    pub(super) name: String,
    /// Its lines, joined by line feeds.
    pub(super) data: String,
    /// The last id that was sent, with this event or before it; empty when none was.
    pub(super) last_id: String,
}

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Parser {
    line: Vec<u8>,
    begun: bool,
    after_return: bool,
    name: String,
    data: String,
    last_id: String,
}

impl Parser {
    /// Reads on; the events that are complete now.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for byte in chunk {
            let second_half = std::mem::replace(&mut self.after_return, *byte == b'\r');
            match byte {
                b'\n' if second_half => {}
                b'\r' | b'\n' => events.extend(self.end_of_line()),
                other => self.line.push(*other),
            }
        }
        events
    }

    fn end_of_line(&mut self) -> Option<Event> {
        let bytes = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&bytes);
        let first = !std::mem::replace(&mut self.begun, true);
        let line = match line.strip_prefix('\u{feff}') {
            Some(rest) if first => rest,
            _ => &line,
        };
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => value.clone_into(&mut self.last_id),
            // Comments, `retry`, and what later versions may send.
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<Event> {
        let name = std::mem::take(&mut self.name);
        let mut data = std::mem::take(&mut self.data);
        // A block without data is no event, but its id counts.
        data.pop()?;
        Some(Event {
            name: if name.is_empty() {
                "message".to_owned()
            } else {
                name
            },
            data,
            last_id: self.last_id.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, data: &str, last_id: &str) -> Event {
        Event {
            name: name.to_owned(),
            data: data.to_owned(),
            last_id: last_id.to_owned(),
        }
    }

    #[test]
    fn an_event_has_its_name_data_and_id() {
        let events =
            Parser::default().push(b"event: questionSetCreationComplete\nid: 7\ndata: {}\n\n");
        assert_eq!(events, [event("questionSetCreationComplete", "{}", "7")]);
    }

    #[test]
    fn chunks_may_end_anywhere_even_within_a_letter_or_a_line_end() {
        let text = "event: heartbeat\r\ndata: 세종\r\n\r\ndata: b\r\n\r\n".as_bytes();
        let whole = [event("heartbeat", "세종", ""), event("message", "b", "")];
        for cut in 0..=text.len() {
            let mut parser = Parser::default();
            let mut events = parser.push(&text[..cut]);
            events.extend(parser.push(&text[cut..]));
            assert_eq!(events, whole, "cut at {cut}");
        }
    }

    #[test]
    fn all_three_line_ends_are_line_ends() {
        let whole = [event("message", "a\nb", "")];
        for text in [
            "data: a\ndata: b\n\n",
            "data: a\r\ndata: b\r\n\r\n",
            "data: a\rdata: b\r\r",
        ] {
            assert_eq!(Parser::default().push(text.as_bytes()), whole, "{text:?}");
        }
    }

    #[test]
    fn comments_unknown_fields_and_blocks_without_data_are_no_events() {
        let text = b": hello\n\nretry: 3000\n\nevent: lonely\n\nid: 3\n\nnonsense\ndata: x\n\n";
        assert_eq!(Parser::default().push(text), [event("message", "x", "3")]);
    }

    #[test]
    fn an_id_lasts_until_the_next_one_and_one_with_a_null_is_ignored() {
        let text = b"id: 1\ndata: a\n\ndata: b\n\nid: x\0y\ndata: c\n\nid\ndata: d\n\n";
        let ids: Vec<_> = Parser::default()
            .push(text)
            .into_iter()
            .map(|event| event.last_id)
            .collect();
        assert_eq!(ids, ["1", "1", "1", ""]);
    }

    #[test]
    fn one_space_after_the_colon_and_a_byte_order_mark_at_the_start_are_not_data() {
        let text = "\u{feff}data:  two\n\ndata:none\n\ndata\n\n".as_bytes();
        assert_eq!(
            Parser::default().push(text),
            [
                event("message", " two", ""),
                event("message", "none", ""),
                event("message", "", "")
            ]
        );
    }

    #[test]
    fn an_event_that_was_cut_off_is_none() {
        assert!(Parser::default().push(b"data: half\n").is_empty());
    }
}
