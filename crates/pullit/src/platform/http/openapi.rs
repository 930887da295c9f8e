//! Describes error answers in the OpenAPI document.

use utoipa::openapi::{Content, OpenApi, Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::error::Problem;

/// Gives every error answer that describes no body the one that they all have: a problem.
pub fn describe_problems(api: &mut OpenApi) {
    let operations = api.paths.paths.values_mut().flat_map(|path| {
        [
            &mut path.get,
            &mut path.put,
            &mut path.post,
            &mut path.delete,
            &mut path.patch,
        ]
        .into_iter()
        .flatten()
    });
    for operation in operations {
        for (status, response) in &mut operation.responses.responses {
            let RefOr::T(response) = response else {
                continue;
            };
            if status.starts_with(['4', '5']) && response.content.is_empty() {
                let schema = Ref::from_schema_name(Problem::name());
                let content = Content::new(Some(schema));
                response
                    .content
                    .insert("application/problem+json".to_owned(), content.into());
            }
        }
    }
    let mut schemas = vec![(Problem::name().into_owned(), Problem::schema())];
    Problem::schemas(&mut schemas);
    api.components
        .get_or_insert_default()
        .schemas
        .extend(schemas);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_error_answer_is_described_as_a_problem_and_no_other_is() {
        let mut api = serde_json::from_value::<OpenApi>(json!({
            "openapi": "3.1.0",
            "info": {"title": "t", "version": "1"},
            "paths": {"/x": {"get": {"responses": {
                "204": {"description": "done"},
                "404": {"description": "S_001"},
            }}}},
        }))
        .unwrap();
        describe_problems(&mut api);
        let api = serde_json::to_value(&api).unwrap();
        let responses = &api["paths"]["/x"]["get"]["responses"];
        let schema = &responses["404"]["content"]["application/problem+json"]["schema"];
        assert_eq!(schema["$ref"], "#/components/schemas/Problem");
        assert_eq!(responses["204"]["content"], json!(null));
        let schemas = &api["components"]["schemas"];
        assert!(schemas["Problem"]["properties"]["code"].is_object());
        assert!(schemas["FieldError"]["properties"]["field"].is_object());
    }
}
