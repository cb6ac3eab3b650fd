using System.Reflection;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FuncScaler.ScalerFunctions.Hosting;
using FuncScaler.SlotBackends.Aci;

namespace FuncScaler.Tests;

/// <summary>What the compiled deployment must be like. Each check returns a sentence for each thing that is wrong.</summary>
internal static partial class Checks
{
    /// <summary>Built-in roles that may be given at all, by id. Owner, Contributor and whoever gives roles are none of them.</summary>
    private static readonly Dictionary<string, string> NarrowRoles = new()
    {
        ["b7e6dc6d-f1e8-4753-8033-0f276bb0955b"] = "Storage Blob Data Owner",
        ["974c5e8b-45b9-4653-ba55-5f855dd0fb88"] = "Storage Queue Data Contributor",
        ["0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3"] = "Storage Table Data Contributor",
        ["3913510d-42f4-4e42-8a64-420c390055eb"] = "Monitoring Metrics Publisher",
        ["5d977122-f97e-4b4d-a52f-6b43003ddb4d"] = "Azure Container Instances Contributor",
        ["f1a07417-d97a-45cb-824c-7a7467783830"] = "Managed Identity Operator",
        ["4d97b98b-1d4f-4787-a291-c67834d212e7"] = "Network Contributor",
        ["7f951dda-4ed3-4680-a7ca-43fe172d538d"] = "AcrPull",
        ["0ad04412-c4d5-4796-b79c-f76d14c8d402"] = "Durable Task Data Contributor",
    };

    /// <summary>Settings that the deployment leaves at their defaults, and why.</summary>
    private static readonly Dictionary<string, string> SettingsLeftOut = new()
    {
        ["Scaler__Platform"] = "only the simulator backend has a platform",
        ["Scaler__HostUrl"] = "only a worker with a gRPC port knocks at its own host",
        ["Scaler__HistoryKept"] = "a day suits every deployment; an operator may set it on the app",
        ["Scaler__MaxPurgesPerRun"] = "as Scaler__HistoryKept",
        ["Scaler__MaxProvisioned"] = "as Scaler__HistoryKept",
        ["Scaler__LimitsFile"] = "an operator mounts the share that has it; Scaler__Limits has the same text",
        ["Scaler__Grpc__Port"] = "the front end of Flex Consumption passes no HTTP/2 trailers, and opens no further port",
        ["Scaler__Grpc__Address"] = "as Scaler__Grpc__Port",
        ["Scaler__Grpc__Key"] = "as Scaler__Grpc__Port",
        ["Scaler__Grpc__AllowAnonymous"] = "as Scaler__Grpc__Port",
        ["Scaler__Grpc__Tls"] = "as Scaler__Grpc__Port",
        ["Scaler__Grpc__TlsInFront"] = "as Scaler__Grpc__Port",
    };

    public static IReadOnlyDictionary<string, Func<JsonObject, IEnumerable<string>>> All { get; } = new Dictionary<string, Func<JsonObject, IEnumerable<string>>>
    {
        [nameof(StorageIsLocked)] = StorageIsLocked,
        [nameof(HostsAreLocked)] = HostsAreLocked,
        [nameof(RolesAreNarrow)] = RolesAreNarrow,
        [nameof(NoSecrets)] = NoSecrets,
        [nameof(ParametersAreDescribed)] = ParametersAreDescribed,
        [nameof(VersionsAreStable)] = VersionsAreStable,
        [nameof(NamesAreDeterministic)] = NamesAreDeterministic,
        [nameof(ExistingIsDeployed)] = ExistingIsDeployed,
        [nameof(SettingsAgree)] = SettingsAgree,
    };

    public static IEnumerable<string> StorageIsLocked(JsonObject main) =>
    [
        .. Each(main, "Microsoft.Storage/storageAccounts", account =>
        [
            .. Demand(account, "properties.allowSharedKeyAccess", "false"),
            .. Demand(account, "properties.allowBlobPublicAccess", "false"),
            .. Demand(account, "properties.allowCrossTenantReplication", "false"),
            .. Demand(account, "properties.minimumTlsVersion", "TLS1_2"),
            .. Demand(account, "properties.supportsHttpsTrafficOnly", "true"),
        ]),
        .. Each(main, "Microsoft.Storage/storageAccounts/blobServices/containers", container => Demand(container, "properties.publicAccess", "None")),
    ];

    public static IEnumerable<string> HostsAreLocked(JsonObject main) =>
    [
        .. Each(main, "Microsoft.Web/sites", site =>
        [
            .. Demand(site, "properties.httpsOnly", "true"),
            .. Demand(site, "properties.siteConfig.minTlsVersion", "1.2"),
            .. Demand(site, "properties.siteConfig.ftpsState", "Disabled"),
            .. Demand(site, "identity.type", "UserAssigned"),
            .. Demand(site, "properties.functionAppConfig.deployment.storage.authentication.type", "UserAssignedIdentity"),
            .. new[] { "ftp", "scm" }
                .Where(way => !ArmTemplate.ResourcesOf(main, "Microsoft.Web/sites/basicPublishingCredentialsPolicies")
                    .Any(p => p.Text("name")!.Contains($"'{way}'", StringComparison.Ordinal) && p.Text("properties.allow") == "false"))
                .Select(way => $"{site.At}: publishing by password over {way} is not off"),
        ]),

        // The smallest size has no anonymous pull at all; a larger one would need it turned off.
        .. Each(main, "Microsoft.ContainerRegistry/registries", registry =>
        [
            .. Demand(registry, "properties.adminUserEnabled", "false"),
            .. Demand(registry, "sku.name", "Basic"),
        ]),

        // The self-host knows its callers by their tokens; from outside only named addresses reach it at all.
        .. Each(main, "Microsoft.App/containerApps", app =>
        [
            .. Demand(app, "identity.type", "UserAssigned"),
            .. Demand(app, "properties.configuration.ingress.external", "[not(empty(parameters('callerCidrs')))]"),
            .. Demand(app, "properties.configuration.ingress.allowInsecure", "false"),
            .. Demand(app, "properties.template.scale.maxReplicas", "1"),
            .. (app["properties.template.containers"]?[0]?["args"] as JsonArray ?? []).Select(a => (string?)a).ToList() is var args
                && args.Contains("--security") && !args.Contains("--insecure")
                ? Array.Empty<string>()
                : [$"{app.At}: the scaler does not ask who calls"],
            .. (app["properties.configuration.ingress.copy"] as JsonArray ?? []).Any(c =>
                (string?)c!["name"] == "ipSecurityRestrictions" && (string?)c["count"] == "[length(parameters('callerCidrs'))]" && (string?)c["input"]!["action"] == "Allow")
                ? Array.Empty<string>()
                : [$"{app.At}: ingress is not restricted to callerCidrs"],
        ]),
        .. Each(main, "Microsoft.Insights/components", insights => Demand(insights, "properties.DisableLocalAuth", "true")),
        .. Each(main, "Microsoft.OperationalInsights/workspaces", workspace => Demand(workspace, "properties.features.disableLocalAuth", "true")),
        .. Each(main, "Microsoft.Network/networkSecurityGroups", guard =>
            (guard["properties.securityRules"] as JsonArray ?? []).Any(r => IsDenyOfInternet(r!["properties"]!))
                ? []
                : [$"{guard.At}: the internet is not kept out"]),
        .. Each(main, "Microsoft.Network/virtualNetworks/subnets", subnet =>
            subnet.Text("name")!.Contains("'slots'", StringComparison.Ordinal) && subnet["properties.networkSecurityGroup"] is null
                ? [$"{subnet.At}: slots have no network security group"]
                : []),
    ];

    /// <summary>Each role is a narrow one, for an identity, below the subscription, and says why it is given.</summary>
    public static IEnumerable<string> RolesAreNarrow(JsonObject main)
    {
        var given = new HashSet<string>();
        foreach (var role in ArmTemplate.ResourcesOf(main, "Microsoft.Authorization/roleAssignments"))
        {
            var scope = role.Text("scope");
            if (role.Template.AtSubscription || (scope is not null && !scope.StartsWith("[resourceId('Microsoft.", StringComparison.Ordinal)))
            {
                yield return $"{role.At}: the role is not scoped below the subscription ({scope ?? "no scope"})";
            }

            var name = RoleOfVariable().Match(role.Text("properties.roleDefinitionId") ?? "").Groups[1].Value;
            var id = (string?)role.Template.Body["variables"]?["roles"]?[name] ?? "";
            given.Add(id);
            if (!NarrowRoles.ContainsKey(id))
            {
                yield return $"{role.At}: {role.Text("properties.roleDefinitionId")} is none of the roles that may be given";
            }

            if (role.Text("properties.principalType") != "ServicePrincipal")
            {
                yield return $"{role.At}: the role is not for an identity";
            }

            if ((role.Text("properties.description") ?? "").Split(' ').Length < 4)
            {
                yield return $"{role.At}: no description says why the role is given";
            }
        }

        foreach (var module in ArmTemplate.All(main).Where(t => t.Deployment is not null && t.Deployment["resourceGroup"] is null))
        {
            yield return $"main: module {module.Name} is not scoped below the subscription";
        }

        foreach (var (id, name) in NarrowRoles.Where(r => !given.Contains(r.Key)))
        {
            yield return $"{name} ({id}) is given to nobody";
        }
    }

    /// <summary>Nothing hands a secret out, takes one in unguarded, or has one written down.</summary>
    public static IEnumerable<string> NoSecrets(JsonObject main)
    {
        var insightsLocked = ArmTemplate.ResourcesOf(main, "Microsoft.Insights/components").All(i => i.Text("properties.DisableLocalAuth") == "true");
        foreach (var template in ArmTemplate.All(main))
        {
            foreach (var text in Texts(template.Body))
            {
                if (SecretCall().Match(text) is { Success: true } call)
                {
                    yield return $"{template.Name}: {call.Value}) hands out a secret";
                }

                if (SecretInText().IsMatch(text))
                {
                    yield return $"{template.Name}: a secret in a string: {text}";
                }

                foreach (Match read in SecretProperty().Matches(text))
                {
                    // Application Insights' connection string is an address where local authentication is off.
                    if (read.Value != ".ConnectionString" || !insightsLocked || !InsightsAddress().IsMatch(text))
                    {
                        yield return $"{template.Name}: {text} reads a secret";
                    }
                }
            }

            foreach (var (name, output) in template.Outputs)
            {
                if (SecretName().IsMatch(name) || output!.ToJsonString().Contains("ConnectionString", StringComparison.Ordinal))
                {
                    yield return $"{template.Name}: output {name} is, or reads like, a secret";
                }
            }

            foreach (var (name, parameter) in template.Parameters)
            {
                var secure = ((string?)parameter!["type"])?.StartsWith("secure", StringComparison.Ordinal) == true;
                if (SecretParameter().IsMatch(name))
                {
                    yield return $"{template.Name}: parameter {name} would bring a secret in";
                }

                if (name is "functionCode" or "aci" && !secure)
                {
                    yield return $"{template.Name}: parameter {name} is not secure, and the history of deployments would show it";
                }
            }

            foreach (var app in template.Resources.Where(r => r.Type == "Microsoft.App/containerApps"))
            {
                foreach (var secret in app["properties.configuration.secrets"] as JsonArray ?? [])
                {
                    var parameter = Parameter().Match((string?)secret!["value"] ?? "").Groups[1].Value;
                    if ((string?)template.Body["parameters"]?[parameter]?["type"] != "securestring")
                    {
                        yield return $"{app.At}: secret {secret["name"]} is no secure parameter";
                    }
                }
            }
        }
    }

    public static IEnumerable<string> ParametersAreDescribed(JsonObject main)
    {
        foreach (var template in ArmTemplate.All(main))
        {
            foreach (var (name, value) in template.Parameters.Concat(template.Outputs))
            {
                if (((string?)value!["metadata"]?["description"] ?? "").Length <= 10)
                {
                    yield return $"{template.Name}: {name} has no description";
                }
            }

            foreach (var (name, parameter) in template.Parameters.Where(p => !IsConstrained(p.Value!)))
            {
                yield return $"{template.Name}: {name} has no limits";
            }
        }
    }

    /// <summary>No preview version but where there is no other. Whether a version exists is the compiler's to say.</summary>
    public static IEnumerable<string> VersionsAreStable(JsonObject main) =>
        from template in ArmTemplate.All(main)
        from resource in template.AllResources
        let version = resource.Text("apiVersion")!
        where version.EndsWith("-preview", StringComparison.Ordinal) && resource.Type != "Microsoft.Insights/diagnosticSettings"
        select $"{resource.At}@{version} is a preview";

    public static IEnumerable<string> NamesAreDeterministic(JsonObject main) =>
        from template in ArmTemplate.All(main)
        from text in Texts(template.Body)
        where Unrepeatable().IsMatch(text)
        select $"{template.Name}: {text} differs with each deployment";

    /// <summary>A resource that a module refers to is one that the deployment makes, in the same resource group.</summary>
    public static IEnumerable<string> ExistingIsDeployed(JsonObject main)
    {
        var templates = ArmTemplate.All(main);
        foreach (var template in templates.Where(t => t.Parameters.Any(p => p.Key == "insightsName") && t.Name != "monitoring"))
        {
            var sent = (string?)template.Deployment!["properties"]!["parameters"]!["insightsName"]!["value"];
            var maker = templates.Single(t => t.Name == "monitoring");
            if (sent != "[reference('monitoring').outputs.insightsName.value]"
                || template.Deployment["resourceGroup"]!.ToString() != maker.Deployment!["resourceGroup"]!.ToString()
                || maker.Body["outputs"]!["insightsName"]!["value"]!.ToString() != maker.Resources.Single(r => r.Type == "Microsoft.Insights/components").Text("name"))
            {
                yield return $"{template.Name}: nothing deploys the Application Insights that it refers to";
            }
        }

        foreach (var existing in templates.SelectMany(t => t.AllResources).Where(r => r.Body["existing"] is not null && r.Type != "Microsoft.Insights/components"))
        {
            yield return $"{existing.At}: no check knows what deploys it";
        }
    }

    /// <summary>App settings are those that the app's options read, and the settings of container instances those of AciOptions.</summary>
    public static IEnumerable<string> SettingsAgree(JsonObject main)
    {
        var app = ArmTemplate.All(main).Single(t => t.Name == "functionApp");
        var named = SettingName().Matches(app.Body.ToJsonString()).Select(m => m.Value).ToList();
        var read = SettingNames(typeof(ScalerAppOptions), "Scaler").ToList();
        var aciSent = app.Deployment!["properties"]!["parameters"]!["aci"]!["value"]!.AsObject().Select(p => p.Key).ToList();
        var aciRead = typeof(AciOptions).GetProperties().Select(p => char.ToLowerInvariant(p.Name[0]) + p.Name[1..]).ToList();
        var leasing = Texts(app.Body).SelectMany(t => LeasingSetting().Matches(t)).Select(m => m.Groups[1].Value).ToList();
        return
        [
            .. named.Except(read).Select(n => $"bicep sets {n}, which no option reads"),
            .. read.Except(named).Except(SettingsLeftOut.Keys).Select(n => $"the app reads {n}, which bicep does not set and no reason excuses"),
            .. SettingsLeftOut.Keys.Except(read).Select(n => $"{n} is excused and exists no more"),
            .. SettingsLeftOut.Keys.Intersect(named).Select(n => $"{n} is excused and set all the same"),
            .. named.GroupBy(n => n).Where(g => g.Count() > 1).Select(g => $"bicep sets {g.Key} twice"),
            .. aciSent.Except(aciRead).Select(n => $"bicep sets {n} of container instances, which AciOptions does not read"),
            .. leasing.Where(n => !named.Contains($"Scaler__{char.ToUpperInvariant(n[0])}{n[1..]}")).Select(n => $"leasing.{n} becomes no setting of its name"),
        ];
    }

    /// <summary>Settings' names in the environment; options of options are joined with two underscores.</summary>
    private static IEnumerable<string> SettingNames(Type options, string prefix) =>
        from property in options.GetProperties(BindingFlags.Public | BindingFlags.Instance)
        where property.SetMethod is not null
        from name in property.PropertyType.Assembly == options.Assembly
            ? SettingNames(property.PropertyType, $"{prefix}__{property.Name}")
            : [$"{prefix}__{property.Name}"]
        select name;

    private static bool IsDenyOfInternet(JsonNode rule) =>
        (string?)rule["direction"] == "Inbound" && (string?)rule["access"] == "Deny" && (string?)rule["sourceAddressPrefix"] == "Internet"
        && (string?)rule["protocol"] == "*" && (string?)rule["destinationPortRange"] == "*";

    private static bool IsConstrained(JsonNode parameter)
    {
        return Has("allowedValues") || (string?)parameter["type"] switch
        {
            "string" or "securestring" => Has("minLength") || Has("maxLength"),
            "int" => Has("minValue") && Has("maxValue"),
            "array" => Has("maxLength"),
            _ => true,
        };

        bool Has(string limit) => parameter[limit] is not null;
    }

    private static IEnumerable<string> Each(JsonObject main, string type, Func<ArmResource, IEnumerable<string>> check)
    {
        var resources = ArmTemplate.ResourcesOf(main, type).ToList();
        return resources.Count == 0 ? [$"there is no {type}"] : resources.SelectMany(check);
    }

    private static IEnumerable<string> Demand(ArmResource resource, string path, string value)
    {
        var found = resource.Text(path);
        return found == value ? [] : [$"{resource.At}: {path} is {found ?? "not set"} and must be {value}"];
    }

    /// <summary>Every string of a template, of its own alone: descriptions, the workbook and nested templates are left out.</summary>
    private static IEnumerable<string> Texts(JsonNode? node) => node switch
    {
        JsonObject fields => fields.Where(f => f.Key is not ("template" or "metadata" or "$fxv#0")).SelectMany(f => Texts(f.Value)),
        JsonArray items => items.SelectMany(Texts),
        JsonValue value when value.TryGetValue<string>(out var text) => [text],
        _ => [],
    };

    [GeneratedRegex(@"\blist[A-Z]?\w*\(")]
    private static partial Regex SecretCall();

    [GeneratedRegex("(AccountKey|SharedAccessKey|SharedAccessSignature|Password|InstrumentationKey)=", RegexOptions.IgnoreCase)]
    private static partial Regex SecretInText();

    [GeneratedRegex(@"\.\w*(key|secret|password|connectionstring)s?\b", RegexOptions.IgnoreCase)]
    private static partial Regex SecretProperty();

    [GeneratedRegex(@"reference\((resourceId\('Microsoft\.Insights/components', parameters\('insightsName'\)\), '[\d-]+'|'insights')\)\.ConnectionString")]
    private static partial Regex InsightsAddress();

    [GeneratedRegex("(key|secret|password|connection)", RegexOptions.IgnoreCase)]
    private static partial Regex SecretName();

    [GeneratedRegex("(key|secret|password|token)$", RegexOptions.IgnoreCase)]
    private static partial Regex SecretParameter();

    [GeneratedRegex(@"^\[parameters\('(\w+)'\)\]$")]
    private static partial Regex Parameter();

    [GeneratedRegex(@"variables\('roles'\)\.(\w+)\)\]$")]
    private static partial Regex RoleOfVariable();

    [GeneratedRegex(@"\b(newGuid|utcNow)\(")]
    private static partial Regex Unrepeatable();

    [GeneratedRegex(@"\bScaler__\w+")]
    private static partial Regex SettingName();

    [GeneratedRegex(@"parameters\('leasing'\)\.(\w+)")]
    private static partial Regex LeasingSetting();
}
