//! What teaches an agent to use this very deployment: instructions, a skill (agentskills.io; SEP-2640), and an index (llms.txt).

use broker::{Api, Broker};
use rmcp::model::{
    ReadResourceResult, Resource, ResourceContents, Skill, SkillFrontmatter, SkillResource, SkillResources,
};

use crate::toolbox::Toolbox;
use crate::visit::Guest;

/// The skill's place among this server's resources.
pub(crate) const URI: &str = "skill://ath-gateway/SKILL.md";

/// For the client's model, at the beginning. Clients that hide tools until they are searched for show this.
pub(crate) fn instructions(guest: &Guest, tools: &Toolbox) -> String {
    let services: Vec<String> = guest
        .services()
        .take(MOST_NAMED)
        .map(|provider| {
            let prefix = tools.prefix(&provider.id);
            match provider.api {
                Api::Http => format!("{} ({prefix}_read, {prefix}_write)", provider.display_name),
                Api::Mcp => format!("{} ({prefix}_*)", provider.display_name),
            }
        })
        .collect();
    let more = guest.services().count().saturating_sub(services.len());
    let more = if more == 0 { String::new() } else { format!(", and {more} more, which ath_services lists") };
    format!(
        "Reach these services in the person's name, without any credential of your own: {}{more}. Just call; do not ask for tokens or keys. \
         Where a service documents itself, its _find and _describe tools tell paths and parameters. If a result says connect_required, \
         give the person the link in it, and call again when they are done. ath_services lists what is connected.",
        services.join(", ")
    )
}

/// The text itself: the same over MCP and at `/skill.md`.
pub(crate) fn text(broker: &Broker) -> String {
    let public = broker.urls().public();
    let services: Vec<String> = broker
        .providers()
        .map(|provider| {
            let scopes: Vec<String> = provider
                .operations
                .scopes()
                .iter()
                .filter_map(|scope| Some(format!("`{scope}` ({})", provider.operations.says(scope)?)))
                .collect();
            format!(
                "| `{}` | {} | {} | {} |",
                provider.id,
                provider.display_name,
                broker.urls().mcp(&provider.id),
                scopes.join(", ")
            )
        })
        .collect();
    let (services, all) = (services.join("\n"), broker.urls().mcp_for_all());
    let (just_call, when_not, care) = (section("Just call"), section("When it does not work"), section("Care"));
    format!(
        "---\nname: {NAME}\ndescription: {DESCRIPTION}\n---\n\n\
# The person's services, through the gateway at {public}\n\n\
The gateway calls APIs in the person's name, and adds the credential. You never see a credential and need none: do not ask for tokens, keys or\npasswords, \
and do not look for them.\n\n\
## Services\n\n\
| id | service | MCP server | scopes |\n|---|---|---|---|\n{services}\n\n\
All of them at once: the MCP server {all}.\n\n\
## With MCP tools\n\n\
1. Call `<service>_read` with a path of the service's API, or `<service>_write` with method, path and body. Do not look around first.\n\
2. Where you do not know the path: `<service>_find` with a few words, then `<service>_describe`, if the service has them.\n\
3. `ath_services` tells what is connected.\n\n\
A result that is an error has a `code`:\n\n\
| code | what to do |\n|---|---|\n\
| `connect_required` | Give the person the `connect_url`, as it is. When they are done, call again. |\n\
| `login_required` | The person logs in again in your client. |\n\
| `insufficient_scope` | Tell the person which of `wanted_scopes` is missing; they can allow it with a new login. |\n\
| `operation_not_allowed`, `agent_unapproved` | Only the gateway's operator can change it. Say so, and stop. |\n\
| `rate_limited`, `upstream_unreachable`, `upstream_timeout`, `unavailable` | Try again a little later, twice at most. |\n\n\
## At a shell, with the command `ath`\n\n\
The person logs in once, by `ath login --gateway {public}`. Then just call:\n\n\
{just_call}\n\n\
### When a command does not work\n\n\
{when_not}\n\n\
## With neither\n\n\
Call {public}/ath/proxy/<id>/<path> instead of the service's own address, with the gateway's token in `Authorization: Bearer`. A 401 says in\n`WWW-Authenticate` where a token is had (OAuth 2.1).\n\n\
## Care\n\n\
{care}\n",
    )
}

/// What the plugin's skill says below a heading. That text is the one for every deployment; this module adds what is this one's.
fn section(heading: &str) -> &'static str {
    let below = PLUGIN.split_once(&format!("\n## {heading}\n")).map_or("", |(_, below)| below);
    below.split("\n## ").next().unwrap_or_default().trim()
}

/// `/llms.txt`.
pub(crate) fn index(broker: &Broker) -> String {
    let urls = broker.urls();
    let services: Vec<String> = broker
        .providers()
        .map(|provider| format!("- [{}]({}): MCP server", provider.display_name, urls.mcp(&provider.id)))
        .collect();
    format!(
        "# ATH Gateway at {}\n\n> Agents reach APIs through this gateway in a person's name. They never hold a credential of an API.\n\n\
## Start here\n\n- [Skill]({}): how to use this deployment, by MCP or by the command `ath`\n- [MCP server for all services]({})\n\n\
## Services\n\n{}\n\n\
## For developers\n\n- [OpenAPI]({}/openapi.json): the gateway's own endpoints\n- [Authorization server]({}/.well-known/oauth-authorization-server): metadata (RFC 8414)\n- [Errors]({}/errors): what refusals mean\n",
        urls.public(),
        urls.skill(),
        urls.mcp_for_all(),
        services.join("\n"),
        urls.public(),
        urls.public(),
        urls.public(),
    )
}

pub(crate) fn skill(broker: &Broker) -> Skill {
    let file = SkillResource::from_bytes(URI, text(broker).as_bytes());
    Skill::new(URI, SkillFrontmatter::new(NAME, DESCRIPTION), SkillResources::Files(vec![file]))
}

pub(crate) fn resource(broker: &Broker) -> Resource {
    let size = text(broker).len() as u64;
    Resource::new(URI, NAME)
        .with_description(DESCRIPTION)
        .with_title("How to use this gateway")
        .with_mime_type(MARKDOWN)
        .with_size(size)
}

pub(crate) fn contents(broker: &Broker) -> ReadResourceResult {
    ReadResourceResult::new(vec![ResourceContents::text(text(broker), URI).with_mime_type(MARKDOWN)])
}

const PLUGIN: &str = include_str!("../../../deploy/plugin/skills/ath-gateway/SKILL.md");
/// In the instructions, which clients show their model in every conversation.
const MOST_NAMED: usize = 30;
const NAME: &str = "ath-gateway";
const DESCRIPTION: &str = "Call the person's services (APIs) through the ATH gateway without holding any credential. Use when a task needs data or actions in one of the services that the gateway lists.";
const MARKDOWN: &str = "text/markdown";

#[cfg(test)]
mod tests {
    use super::section;

    #[test]
    fn the_plugin_s_skill_has_what_is_taken_from_it() {
        for (heading, part) in [
            ("Just call", "ath fetch --json"),
            ("When it does not work", "connect_url"),
            ("Care", "data. Instructions"),
        ] {
            let text = section(heading);
            assert!(text.contains(part), "{heading}");
            // Its own files are not here.
            assert!(!text.contains("](references/") && !text.contains("\n## "), "{heading}");
        }
    }
}
