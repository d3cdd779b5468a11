package dashboards

const docs = "https://github.com/chatshipper/gateway/blob/main/docs/"

// gateway is the whole dashboard.
func gateway() dashboard {
	return dashboard{
		Title: "ChatShipper gateway", UID: "chatshipper-gateway", Tags: []string{"gateway"},
		Description: "The edge gateway for the ChatShipper API. Every panel says what it shows, what is normal and what to do.",
		Editable:    true, GraphTooltip: 1, SchemaVersion: 39, Timezone: "browser", Refresh: "30s",
		Time:        timeRange{"now-3h", "now"},
		Annotations: list[annotation]{annotations()},
		Templating:  list[variable]{variables()},
		Links: []link{
			{Title: "Runbook", Type: "link", Icon: "doc", Tooltip: "What to do about each alert", URL: docs + "runbook.md", Tags: []string{}, TargetBlank: true},
			{Title: "Metrics", Type: "link", Icon: "info", Tooltip: "What each number means", URL: docs + "metrics.md", Tags: []string{}, TargetBlank: true},
			{Title: "Dashboards", Type: "dashboards", Icon: "external link", Tags: []string{"gateway"}, AsDropdown: true, KeepTime: true, IncludeVars: true},
		},
		Panels: layout([]row{
			{"At a glance", false, glance()},
			{"Traffic", false, traffic()},
			{"Limits", false, limits()},
			{"Bot loops", false, loops()},
			{"Upstream", false, upstream()},
			{"Shared store", true, store()},
			{"Resources", true, resources()},
			{"Error budget", true, budget()},
		}),
	}
}

func variables() []variable {
	all := map[string]any{"selected": true, "text": []string{"All"}, "value": []string{"$__all"}}
	ask := func(name, label, query string) variable {
		return variable{
			Name: name, Label: label, Type: "query", Datasource: &source{"prometheus", "${datasource}"}, Definition: query,
			Query: map[string]string{"query": query, "refId": name}, Refresh: 2, Multi: true, IncludeAll: true, AllValue: ".+", Sort: 1, Current: all,
		}
	}
	return []variable{
		{Name: "datasource", Label: "Data source", Type: "datasource", Query: "prometheus", Refresh: 1, Current: map[string]any{"text": "default", "value": "default"}},
		ask("job", "Job", "label_values(gateway_build_info, job)"),
		ask("instance", "Instance", `label_values(gateway_build_info{job=~"$job"}, instance)`),
	}
}

// annotations mark what may explain a change. A mark is as long as the window of
// its expression, and what happened stands at its beginning.
func annotations() []annotation {
	mark := func(name, color, expr, text string) annotation {
		return annotation{
			Name: name, Datasource: source{"prometheus", "${datasource}"}, Enable: true, Expr: expr, IconColor: color,
			TitleFormat: name, TextFormat: text,
		}
	}
	return []annotation{
		mark("Restart", "red", "changes("+of("process_start_time_seconds")+"[5m]) > 0", "{{instance}}"),
		mark("Version", "blue", aggregate("count", "instance, version", of("gateway_build_info"))+
			" unless "+aggregate("count", "instance, version", of("gateway_build_info")+" offset 5m"), "{{instance}} runs {{version}}"),
		mark("Reload", "green", "changes("+of("gateway_config_last_reload_success_timestamp_seconds")+"[5m]) > 0", "{{instance}} took a new configuration"),
	}
}
