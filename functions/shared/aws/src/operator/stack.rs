//! A stack as CloudFormation describes it: requests and responses of its Query protocol, version 2010-05-15.

use std::collections::BTreeMap;

use aws_smithy_xml::decode::{Document, StartEl, XmlDecodeError, try_data};

use super::ServiceRequest;
use super::service_error::ServiceError;

const SERVICE: &str = "cloudformation";
const VERSION: &str = "2010-05-15";

/// What is read of a stack's description.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Stack {
    /// Such as `UPDATE_COMPLETE`.
    pub status: String,
    /// Values of its parameters by name.
    pub parameters: BTreeMap<String, String>,
    /// Values of its outputs by name.
    pub outputs: BTreeMap<String, String>,
}

impl Stack {
    /// Asks for the description of the stack `name`, a name or ARN.
    pub fn describe(name: &str) -> ServiceRequest {
        query(&format!("Action=DescribeStacks&Version={VERSION}&StackName={}", encoded(name)))
    }

    /// The description in the response of this status.
    ///
    /// # Errors
    /// [`ServiceError`] where CloudFormation returned one, or no description.
    pub fn read(status: u16, body: &str) -> Result<Self, ServiceError> {
        checked(status, body)?;
        let stack = description(body).map_err(|error| unreadable(&error))?;
        if stack.status.is_empty() {
            return Err(ServiceError {
                code: String::new(),
                message: "CloudFormation returned no stack".to_owned(),
            });
        }
        Ok(stack)
    }
}

/// Asks for the stacks of the Region that exist.
pub fn list_stacks() -> ServiceRequest {
    query(&format!("Action=ListStacks&Version={VERSION}"))
}

/// The names of the stacks that exist, in the response of this status.
///
/// # Errors
/// [`ServiceError`] where CloudFormation returned one.
pub fn stack_names(status: u16, body: &str) -> Result<Vec<String>, ServiceError> {
    checked(status, body)?;
    let stacks = pairs(body, "StackName", "StackStatus").map_err(|error| unreadable(&error))?;
    // Deleted stacks are listed for 90 days.
    let exist = stacks.into_iter().filter(|(_, status)| status != "DELETE_COMPLETE");
    Ok(exist.map(|(name, _)| name).collect())
}

fn query(body: &str) -> ServiceRequest {
    ServiceRequest {
        service: SERVICE,
        endpoint_variable: "AWS_ENDPOINT_URL_CLOUDFORMATION",
        headers: vec![("content-type", "application/x-www-form-urlencoded")],
        body: body.to_owned(),
    }
}

/// `text` in a form: every byte but unreserved characters is escaped.
fn encoded(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

fn checked(status: u16, body: &str) -> Result<(), ServiceError> {
    if status == 200 {
        return Ok(());
    }
    let mut error = ServiceError { code: String::new(), message: String::new() };
    let read = each_text(body, &["Code", "Message"], |element, text| match element {
        "Code" => error.code = text,
        _ => error.message = text,
    });
    if read.is_err() || error.code.is_empty() {
        error.message = format!("status {status} {}", body.trim());
    }
    Err(error)
}

fn unreadable(error: &XmlDecodeError) -> ServiceError {
    ServiceError {
        code: String::new(),
        message: format!("cannot read the response of CloudFormation: {error}"),
    }
}

fn description(body: &str) -> Result<Stack, XmlDecodeError> {
    let mut status = String::new();
    each_text(body, &["StackStatus"], |_, text| status = text)?;
    let parameters = pairs(body, "ParameterKey", "ParameterValue")?.into_iter().collect();
    let outputs = pairs(body, "OutputKey", "OutputValue")?.into_iter().collect();
    Ok(Stack { status, parameters, outputs })
}

/// The texts of two elements of each member that has both, in either order.
fn pairs(body: &str, first: &str, second: &str) -> Result<Vec<(String, String)>, XmlDecodeError> {
    let mut found = Vec::new();
    let mut pair = (None, None);
    each_text(body, &["member", first, second], |element, text| {
        match element {
            "member" => pair = (None, None),
            _ if element == first => pair.0 = Some(text),
            _ => pair.1 = Some(text),
        }
        if let (Some(one), Some(other)) = &pair {
            found.push((one.clone(), other.clone()));
            pair = (None, None);
        }
    })?;
    Ok(found)
}

/// Calls `read` with the name and text of each of `elements`, in the order of the document; a member has no text.
fn each_text(
    body: &str,
    elements: &[&str],
    mut read: impl FnMut(&str, String),
) -> Result<(), XmlDecodeError> {
    let mut document = Document::new(body);
    while let Some(element) = document.next_start_element() {
        if let Some(name) = elements.iter().copied().find(|name| element.matches(name)) {
            let is_member = name == "member";
            let text = if is_member { String::new() } else { text_of(&mut document, element)? };
            read(name, text);
        }
    }
    Ok(())
}

fn text_of<'x>(document: &mut Document<'x>, element: StartEl<'x>) -> Result<String, XmlDecodeError> {
    Ok(try_data(&mut document.scoped_to(element))?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESCRIBED: &str = r#"<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">
      <DescribeStacksResult><Stacks><member>
        <StackName>nsl</StackName><StackStatus>UPDATE_COMPLETE</StackStatus>
        <DriftInformation><StackDriftStatus>NOT_CHECKED</StackDriftStatus></DriftInformation>
        <Parameters>
          <member><ParameterKey>AlarmTopic</ParameterKey><ParameterValue/></member>
          <member><ParameterKey>RollupWindowSeconds</ParameterKey><ParameterValue>60</ParameterValue></member>
        </Parameters>
        <Outputs>
          <member><OutputKey>HttpAddress</OutputKey><OutputValue>https://a/?b=1&amp;c</OutputValue>
            <Description>Address &amp; more</Description></member>
        </Outputs>
        <Tags><member><Key>project</Key><Value>nsl</Value></member></Tags>
      </member></Stacks></DescribeStacksResult>
      <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></DescribeStacksResponse>"#;

    #[test]
    fn description_has_status_parameters_and_outputs() {
        let stack = Stack::read(200, DESCRIBED).unwrap();
        assert_eq!(stack.status, "UPDATE_COMPLETE");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let parameters = [pair("AlarmTopic", ""), pair("RollupWindowSeconds", "60")];
        assert_eq!(stack.parameters, BTreeMap::from(parameters));
        assert_eq!(stack.outputs, BTreeMap::from([pair("HttpAddress", "https://a/?b=1&c")]));
    }

    #[test]
    fn error_has_code_and_message() {
        let body = r#"<ErrorResponse xmlns="x"><Error><Type>Sender</Type><Code>ValidationError</Code>
            <Message>Stack with id test does not exist</Message></Error><RequestId>r</RequestId></ErrorResponse>"#;
        let error = Stack::read(400, body).unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            ("ValidationError", "Stack with id test does not exist")
        );
        assert_eq!(Stack::read(502, "bad gateway").unwrap_err().to_string(), "status 502 bad gateway");
        for body in ["", "{}", "<DescribeStacksResponse/>"] {
            assert!(Stack::read(200, body).is_err(), "{body}");
        }
    }

    #[test]
    fn deleted_stacks_are_not_listed() {
        let body = "<R><member><StackName>old</StackName><StackStatus>DELETE_COMPLETE</StackStatus></member>\
            <member><StackStatus>CREATE_COMPLETE</StackStatus><StackName>nsl</StackName></member></R>";
        assert_eq!(stack_names(200, body).unwrap(), ["nsl"]);
    }

    #[test]
    fn name_is_escaped_in_the_request() {
        let request = Stack::describe("arn:a/b&c=d");
        assert!(request.body.ends_with("&StackName=arn%3Aa%2Fb%26c%3Dd"), "{}", request.body);
    }
}
