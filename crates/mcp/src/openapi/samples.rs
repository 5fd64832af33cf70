//! Documents with the shapes of those that are out there.

use serde_json::{Map, Value};

use super::document::Document;
use super::error::UntypedError;
use super::operation::MethodAndPath;
use super::typed::TypedTool;

/// Small and plain, in YAML, with names of operations.
pub(super) const TICKETS: &str = "
openapi: 3.0.3
info: {title: Tickets, version: '1'}
servers:
  - url: https://helpdesk.internal/api
paths:
  /tickets:
    parameters:
      - {name: verbose, in: query, schema: {type: boolean}, description: From the path}
    get:
      operationId: listTickets
      tags: [tickets]
      summary: List tickets
      description: The tickets that you may see, open ones among them.
      parameters:
        - {name: status, in: query, schema: {$ref: '#/components/schemas/Status'}}
        - {name: verbose, in: query, schema: {type: integer}, description: From the operation}
      responses:
        200: {description: The tickets, content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/Ticket'}}}}}
    post:
      operationId: createTicket
      tags: [tickets]
      summary: Create a ticket
      requestBody: {$ref: '#/components/requestBodies/Ticket'}
      responses: {'201': {description: Created}}
  /tickets/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: integer}}
    get: {operationId: getTicket, tags: [tickets], summary: Get a ticket, responses: {'200': {description: It}}}
    delete: {operationId: deleteTicket, tags: [tickets], summary: Delete a ticket, responses: {'204': {description: Gone}}}
  /users/{id}/tickets:
    get:
      summary: Tickets of somebody
      deprecated: true
      parameters:
        - {name: id, in: path, required: true, schema: {type: string}}
      responses: {default: {description: Whatever}}
components:
  schemas:
    Status: {type: string, enum: [open, closed]}
    Ticket:
      type: object
      required: [id, title]
      properties:
        id: {type: integer, readOnly: true}
        title: {type: string}
        status: {$ref: '#/components/schemas/Status'}
        parent: {$ref: '#/components/schemas/Ticket'}
        note: {type: string, nullable: true}
  requestBodies:
    Ticket: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Ticket'}}}}
";

/// As a payment service writes it: forms, deep objects, lists in them, and bodies where there are none.
pub(super) const PAYMENTS: &str = r#"{
  "openapi": "3.0.0",
  "info": {"title": "Payments", "version": "2024-04-10"},
  "servers": [{"url": "https://api.payments.example/"}],
  "paths": {
    "/v1/customers": {
      "get": {
        "operationId": "GetCustomers",
        "parameters": [
          {"name": "created", "in": "query", "style": "deepObject", "explode": true, "schema": {"anyOf": [
            {"type": "object", "title": "range", "properties": {"gt": {"type": "integer"}, "lt": {"type": "integer"}}},
            {"type": "integer"}
          ]}},
          {"name": "expand", "in": "query", "style": "deepObject", "explode": true, "schema": {"type": "array", "items": {"type": "string", "maxLength": 5000}}},
          {"name": "limit", "in": "query", "style": "form", "schema": {"type": "integer"}}
        ],
        "requestBody": {"content": {"application/x-www-form-urlencoded": {"encoding": {}, "schema": {"properties": {}, "type": "object"}}}, "required": false},
        "responses": {"200": {"description": "ok"}}
      },
      "post": {
        "operationId": "PostCustomers",
        "requestBody": {"content": {"application/x-www-form-urlencoded": {
          "encoding": {"address": {"style": "deepObject", "explode": true}, "expand": {"style": "deepObject", "explode": true}},
          "schema": {"type": "object", "additionalProperties": false, "properties": {
            "email": {"type": "string"},
            "balance": {"type": "integer"},
            "address": {"anyOf": [{"type": "object", "properties": {"city": {"type": "string"}}}, {"type": "string", "enum": [""]}]},
            "expand": {"type": "array", "items": {"type": "string"}},
            "lines": {"type": "array", "items": {"type": "object"}},
            "extra": {"type": "object", "additionalProperties": {"type": "string"}}
          }}
        }}},
        "responses": {"200": {"description": "ok"}}
      }
    },
    "/v1/customers/{customer}": {
      "get": {
        "operationId": "GetCustomersCustomer",
        "parameters": [{"name": "customer", "in": "path", "required": true, "style": "simple", "schema": {"type": "string", "maxLength": 5000}}],
        "responses": {"200": {"description": "ok"}}
      }
    },
    "/v1/files": {
      "post": {
        "operationId": "PostFiles",
        "requestBody": {"required": true, "content": {"multipart/form-data": {"schema": {"type": "object"}}}},
        "responses": {"200": {"description": "ok"}}
      }
    }
  }
}"#;

/// As a cluster's and a code host's documents are: 3.1, `allOf` for defaults, names with slashes, several places with one name, odd paths.
pub(super) const CLUSTER: &str = r##"{
  "openapi": "3.1.0",
  "info": {"title": "Cluster", "version": "1"},
  "paths": {
    "/api/v1/namespaces/{namespace}/pods": {
      "parameters": [
        {"name": "namespace", "in": "path", "required": true, "schema": {"type": "string"}},
        {"name": "pretty", "in": "query", "schema": {"type": "string"}}
      ],
      "get": {"operationId": "listCoreV1NamespacedPod", "description": "list objects of kind Pod", "tags": ["core_v1"], "responses": {}},
      "post": {
        "operationId": "createCoreV1NamespacedPod",
        "requestBody": {"content": {"*/*": {"schema": {"$ref": "#/components/schemas/io.k8s.Pod"}}}},
        "responses": {}
      }
    },
    "/api/v1/watch/": {"get": {"responses": {}}},
    "/repos/{owner}/{repo}/contents/{path}": {
      "get": {
        "operationId": "repos/get-content",
        "parameters": [
          {"$ref": "#/components/parameters/owner"},
          {"name": "repo", "in": "path", "required": true, "schema": {"type": "string"}},
          {"name": "path", "in": "path", "required": true, "schema": {"type": "string"}},
          {"name": "path", "in": "query", "schema": {"type": "string"}},
          {"name": "X-Trace", "in": "header", "schema": {"type": ["string", "null"]}},
          {"name": "Authorization", "in": "header", "required": true, "schema": {"type": "string"}},
          {"name": "session", "in": "cookie", "schema": {"type": "string"}},
          {"name": "filter[state]", "in": "query", "explode": false, "schema": {"type": "array", "items": {"enum": ["a", "b"]}}},
          {"name": "filter.state", "in": "query", "schema": {"type": "object"}},
          {"name": "where", "in": "query", "content": {"application/json": {"schema": {"type": "object"}}}}
        ],
        "responses": {}
      }
    },
    "/repos/{owner}/compare/{base}...{head}": {
      "get": {
        "operationId": "repos/compare",
        "parameters": [
          {"$ref": "#/components/parameters/owner"},
          {"name": "base", "in": "path", "required": true, "schema": {"type": "string"}},
          {"name": "head", "in": "path", "required": true, "schema": {"type": "string"}}
        ],
        "responses": {}
      }
    },
    "/a/{x}{y}/{list}": {
      "put": {
        "parameters": [
          {"name": "x", "in": "path", "required": true, "schema": {"type": "string"}},
          {"name": "y", "in": "path", "required": true, "schema": {"type": "string"}},
          {"name": "list", "in": "path", "required": true, "schema": {"type": "array", "items": {"type": "string"}}}
        ],
        "responses": {}
      }
    },
    "/broken/{id}": {"get": {"operationId": "broken", "responses": {}}},
    "/matrix/{id}": {"get": {"parameters": [{"name": "id", "in": "path", "required": true, "style": "matrix", "schema": {}}], "responses": {}}},
    "/cookie": {"get": {"parameters": [{"name": "id", "in": "cookie", "required": true, "schema": {}}], "responses": {}}},
    "/odd path": {"get": {"operationId": "odd", "responses": {}}},
    "/elsewhere": {"post": {"requestBody": {"content": {"application/json": {"schema": {"$ref": "https://evil.example/x.json"}}}}, "responses": {}}}
  },
  "components": {
    "parameters": {"owner": {"name": "owner", "in": "path", "required": true, "schema": {"type": "string"}}},
    "schemas": {
      "io.k8s.Pod": {
        "type": "object",
        "description": "A Pod",
        "properties": {
          "metadata": {"allOf": [{"$ref": "#/components/schemas/io.k8s.Meta"}], "default": {}},
          "status": {"type": "object", "readOnly": true},
          "priority": {"type": "integer", "minimum": 0, "exclusiveMinimum": true}
        }
      },
      "io.k8s.Meta": {
        "allOf": [
          {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
          {"type": "object", "required": ["uid"], "properties": {"uid": {"type": "string"}}}
        ]
      }
    }
  }
}"##;

pub(super) fn document(text: &str, base: &str) -> Document {
    Document::read(text.as_bytes(), base).expect("a document")
}

/// The only tool for that.
pub(super) fn tool(text: &str, base: &str, wanted: &str) -> Result<TypedTool, UntypedError> {
    let provider = protocol::ProviderId::parse("desk").expect("an id");
    let wanted = MethodAndPath::parse(wanted).expect("a method and a path");
    document(text, base).typed(&provider, &[wanted]).remove(0)
}

pub(super) fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(map) = value { map } else { panic!("an object") }
}
