//! CloudFormation's intrinsic functions, in their short and long forms. One that is not understood is a fault.

use serde_json::Value as Json;
use yaml_serde::Value;

use super::error::{PropertyError, PropertyPath, TemplateError};
use super::resolve::{Resolver, text_of};

impl Resolver<'_> {
    pub(super) fn intrinsic(
        &self,
        name: &str,
        argument: &Value,
        place: &PropertyPath,
    ) -> Result<Json, TemplateError> {
        let malformed = |name| place.wrong(PropertyError::MalformedIntrinsic(name));
        match name {
            "Ref" => {
                let target = argument.as_str().ok_or_else(|| malformed("Ref"))?;
                self.reference(target).ok_or_else(|| place.wrong(PropertyError::NoSuchName(target.into())))
            }
            "Fn::GetAtt" => {
                let target = self.attribute_path(argument, place)?;
                let (id, attribute) = target.ok_or_else(|| malformed("Fn::GetAtt"))?;
                self.attribute(&id, &attribute, place)
            }
            "Fn::Sub" => self.substitute(argument, place),
            "Fn::Join" => {
                let [glue, items] = self.pair(argument, place)?.ok_or_else(|| malformed("Fn::Join"))?;
                join(&glue, &items).ok_or_else(|| malformed("Fn::Join"))
            }
            "Fn::Select" => {
                let [index, items] = self.pair(argument, place)?.ok_or_else(|| malformed("Fn::Select"))?;
                let index = text_of(&index).and_then(|text| text.parse::<usize>().ok());
                index.and_then(|index| items.get(index)).cloned().ok_or_else(|| malformed("Fn::Select"))
            }
            "Fn::Split" => {
                let [glue, text] = self.pair(argument, place)?.ok_or_else(|| malformed("Fn::Split"))?;
                match (glue.as_str(), text.as_str()) {
                    (Some(glue), Some(text)) => Ok(Json::from(text.split(glue).collect::<Vec<_>>())),
                    _ => Err(malformed("Fn::Split")),
                }
            }
            "Fn::If" => match argument.as_sequence().map(Vec::as_slice) {
                Some([Value::String(name), yes, no]) => {
                    let branch = if self.condition(name, place)? { yes } else { no };
                    self.resolve(branch, place)
                }
                _ => Err(malformed("Fn::If")),
            },
            "Condition" => {
                let name = argument.as_str().ok_or_else(|| malformed("Condition"))?;
                Ok(Json::from(self.condition(name, place)?))
            }
            "Fn::Equals" | "Fn::Not" | "Fn::And" | "Fn::Or" => self.logic(name, argument, place),
            _ => Err(place.wrong(PropertyError::UnknownIntrinsic(name.into()))),
        }
    }

    /// The logical id and the attribute that `Fn::GetAtt` is given, as `Id.Attribute` or `[Id, Attribute]`.
    fn attribute_path(
        &self,
        argument: &Value,
        place: &PropertyPath,
    ) -> Result<Option<(String, String)>, TemplateError> {
        if let Some(text) = argument.as_str() {
            return Ok(text.split_once('.').map(|(id, attribute)| (id.to_owned(), attribute.to_owned())));
        }
        let pair = self.pair(argument, place)?;
        Ok(pair.and_then(|[id, attribute]| Some((text_of(&id)?, text_of(&attribute)?))))
    }

    /// The two arguments of a function that takes two.
    fn pair(&self, argument: &Value, place: &PropertyPath) -> Result<Option<[Json; 2]>, TemplateError> {
        match self.resolve(argument, place)? {
            Json::Array(parts) => Ok(parts.try_into().ok()),
            _ => Ok(None),
        }
    }

    fn logic(&self, name: &str, argument: &Value, place: &PropertyPath) -> Result<Json, TemplateError> {
        let Json::Array(parts) = self.resolve(argument, place)? else {
            return Err(place.wrong(PropertyError::MalformedIntrinsic("condition function")));
        };
        let truth = |value: &Json| value.as_bool() == Some(true);
        let outcome = match (name, parts.as_slice()) {
            ("Fn::Equals", [left, right]) => text_of(left) == text_of(right),
            ("Fn::Not", [only]) => !truth(only),
            ("Fn::And", all) => all.iter().all(truth),
            ("Fn::Or", any) => any.iter().any(truth),
            _ => return Err(place.wrong(PropertyError::MalformedIntrinsic("condition function"))),
        };
        Ok(Json::from(outcome))
    }

    pub(super) fn condition(&self, name: &str, place: &PropertyPath) -> Result<bool, TemplateError> {
        let condition = self.document.conditions.get(name);
        let condition = condition.ok_or_else(|| place.wrong(PropertyError::NoSuchCondition(name.into())))?;
        let outcome = self.resolve(condition, &PropertyPath::new("Conditions", name))?;
        outcome
            .as_bool()
            .ok_or_else(|| PropertyPath::new("Conditions", name).wrong(PropertyError::MustBe("a condition")))
    }

    fn substitute(&self, argument: &Value, place: &PropertyPath) -> Result<Json, TemplateError> {
        let malformed = || place.wrong(PropertyError::MalformedIntrinsic("Fn::Sub"));
        let (text, own) = match argument {
            Value::String(text) => (text, Json::Null),
            Value::Sequence(parts) => match parts.as_slice() {
                [Value::String(text), variables] => (text, self.resolve(variables, place)?),
                _ => return Err(malformed()),
            },
            _ => return Err(malformed()),
        };
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(before);
            let (name, after) = after.split_once('}').ok_or_else(malformed)?;
            rest = after;
            if let Some(literal) = name.strip_prefix('!') {
                out.push_str(&format!("${{{literal}}}"));
                continue;
            }
            let value = match (own.get(name), name.split_once('.')) {
                (Some(value), _) => value.clone(),
                (None, Some((id, attribute))) => self.attribute(id, attribute, place)?,
                (None, None) => {
                    self.reference(name).ok_or_else(|| place.wrong(PropertyError::NoSuchName(name.into())))?
                }
            };
            out.push_str(&text_of(&value).ok_or_else(malformed)?);
        }
        out.push_str(rest);
        Ok(Json::from(out))
    }
}

fn join(glue: &Json, items: &Json) -> Option<Json> {
    let texts: Option<Vec<String>> = items.as_array()?.iter().map(text_of).collect();
    Some(Json::from(texts?.join(glue.as_str()?)))
}
