using System.Text.Json.Nodes;

namespace FuncScaler.Tests;

/// <summary>The compiled deployment is as it must be; and each check notices when it is not, on a copy broken in memory.</summary>
public sealed class CompiledTemplateTests
{
    private const string Account = "Microsoft.Storage/storageAccounts";
    private const string Site = "Microsoft.Web/sites";
    private const string ContainerApp = "Microsoft.App/containerApps";
    private const string Role = "Microsoft.Authorization/roleAssignments";

    /// <summary>What is broken: the check that must notice, what it must say, and how to break it.</summary>
    private static readonly Dictionary<string, (string Check, string Says, Action<JsonObject> Break)> Mutations = new()
    {
        ["storage with keys"] = (nameof(Checks.StorageIsLocked), "allowSharedKeyAccess", Set(Account, "properties.allowSharedKeyAccess", true)),
        ["storage silent on keys"] = (nameof(Checks.StorageIsLocked), "not set", Set(Account, "properties.allowSharedKeyAccess", null)),
        ["storage with old TLS"] = (nameof(Checks.StorageIsLocked), "minimumTlsVersion", Set(Account, "properties.minimumTlsVersion", "TLS1_0")),
        ["storage that may be public"] = (nameof(Checks.StorageIsLocked), "allowBlobPublicAccess", Set(Account, "properties.allowBlobPublicAccess", true)),
        ["storage copied to other tenants"] = (nameof(Checks.StorageIsLocked), "CrossTenant", Set(Account, "properties.allowCrossTenantReplication", true)),
        ["storage over HTTP"] = (nameof(Checks.StorageIsLocked), "supportsHttpsTrafficOnly", Set(Account, "properties.supportsHttpsTrafficOnly", false)),
        ["public package"] = (nameof(Checks.StorageIsLocked), "publicAccess", Set($"{Account}/blobServices/containers", "properties.publicAccess", "Blob")),
        ["no storage"] = (nameof(Checks.StorageIsLocked), "there is no", main => main["resources"]!.AsObject().Remove("storage")),
        ["app over HTTP"] = (nameof(Checks.HostsAreLocked), "httpsOnly", Set(Site, "properties.httpsOnly", false)),
        ["app with old TLS"] = (nameof(Checks.HostsAreLocked), "minTlsVersion", Set(Site, "properties.siteConfig.minTlsVersion", "1.0")),
        ["app with FTP"] = (nameof(Checks.HostsAreLocked), "ftpsState", Set(Site, "properties.siteConfig.ftpsState", "AllAllowed")),
        ["app without identity"] = (nameof(Checks.HostsAreLocked), "identity.type", Set(Site, "identity.type", "None")),
        ["package by connection string"] = (nameof(Checks.HostsAreLocked), "authentication", Set(Site, "properties.functionAppConfig.deployment.storage.authentication.type", "StorageAccountConnectionString")),
        ["publishing by password"] = (nameof(Checks.HostsAreLocked), "password over scm", main => The(main, $"{Site}/basicPublishingCredentialsPolicies", "'scm'").Set("properties.allow", true)),
        ["registry with an admin"] = (nameof(Checks.HostsAreLocked), "adminUserEnabled", Set("Microsoft.ContainerRegistry/registries", "properties.adminUserEnabled", true)),
        ["registry that could let strangers pull"] = (nameof(Checks.HostsAreLocked), "sku.name", Set("Microsoft.ContainerRegistry/registries", "sku.name", "Standard")),
        ["container app open to all"] = (nameof(Checks.HostsAreLocked), "external", Set(ContainerApp, "properties.configuration.ingress.external", true)),
        ["container app over HTTP"] = (nameof(Checks.HostsAreLocked), "allowInsecure", Set(ContainerApp, "properties.configuration.ingress.allowInsecure", true)),
        ["container app without restrictions"] = (nameof(Checks.HostsAreLocked), "not restricted", Set(ContainerApp, "properties.configuration.ingress.copy", null)),
        ["two replicas of the self-host"] = (nameof(Checks.HostsAreLocked), "maxReplicas", Set(ContainerApp, "properties.template.scale.maxReplicas", 3)),
        ["Application Insights for anybody"] = (nameof(Checks.HostsAreLocked), "DisableLocalAuth", Set("Microsoft.Insights/components", "properties.DisableLocalAuth", false)),
        ["workspace with keys"] = (nameof(Checks.HostsAreLocked), "disableLocalAuth", Set("Microsoft.OperationalInsights/workspaces", "properties.features.disableLocalAuth", false)),
        ["network open to the internet"] = (nameof(Checks.HostsAreLocked), "not kept out", main => The(main, "Microsoft.Network/networkSecurityGroups")["properties.securityRules"]![0]!["properties"]!["access"] = "Allow"),
        ["slots without a guard"] = (nameof(Checks.HostsAreLocked), "no network security group", main => The(main, "Microsoft.Network/virtualNetworks/subnets", "'slots'").Set("properties.networkSecurityGroup", null)),
        ["role on the subscription"] = (nameof(Checks.RolesAreNarrow), "not scoped below", main => The(main, Role).Set("scope", "[subscription().id]")),
        ["role in a module of the subscription"] = (nameof(Checks.RolesAreNarrow), "not scoped below", main => The(main, Role).Template.Body["$schema"] = main["$schema"]!.DeepClone()),
        ["module on the subscription"] = (nameof(Checks.RolesAreNarrow), "module slots", main => main["resources"]!["slots"]!.AsObject().Remove("resourceGroup")),
        ["role without a reason"] = (nameof(Checks.RolesAreNarrow), "says why", main => The(main, Role).Set("properties.description", null)),
        ["role for a person"] = (nameof(Checks.RolesAreNarrow), "not for an identity", main => The(main, Role).Set("properties.principalType", "User")),
        ["Owner"] = (nameof(Checks.RolesAreNarrow), "none of the roles", main => The(main, Role).Set("properties.roleDefinitionId", "[subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '8e3af657-a8ff-443c-a75c-2fe8c4bcb635')]")),
        ["Owner by a known name"] = (nameof(Checks.RolesAreNarrow), "none of the roles", main => The(main, Role).Template.Body["variables"]!["roles"]!["monitoringMetricsPublisher"] = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"),
        ["role of nobody"] = (nameof(Checks.RolesAreNarrow), "given to nobody", main => main["resources"]!.AsObject().Remove("scheduler")),
        ["key as an output"] = (nameof(Checks.NoSecrets), "hands out", Output("storage", "access", "[listKeys(resourceId('Microsoft.Storage/storageAccounts', parameters('name')), '2025-06-01').keys[0].value]")),
        ["output by a telling name"] = (nameof(Checks.NoSecrets), "reads like", Output("storage", "accountKey", "x")),
        ["connection string as an output"] = (nameof(Checks.NoSecrets), "output where", Output("monitoring", "where", "[reference('insights').ConnectionString]")),
        ["key in a setting"] = (nameof(Checks.NoSecrets), "secret in a string", main => Module(main, "functionApp")["variables"]!["scalerSettings"]![0]!["value"] = "DefaultEndpointsProtocol=https;AccountKey=x"),
        ["key of another resource"] = (nameof(Checks.NoSecrets), "reads a secret", main => Module(main, "functionApp")["variables"]!["scalerSettings"]![0]!["value"] = "[reference('other').primaryKey]"),
        ["connection string that is a secret"] = (nameof(Checks.NoSecrets), "reads a secret", Set("Microsoft.Insights/components", "properties.DisableLocalAuth", false)),
        ["parameter for a key"] = (nameof(Checks.NoSecrets), "apiKey", main => main["parameters"]!["apiKey"] = new JsonObject { ["type"] = "string" }),
        ["functions' code in the history"] = (nameof(Checks.NoSecrets), "functionCode is not secure", main => main["parameters"]!["functionCode"]!["type"] = "object"),
        ["container instances' settings in the history"] = (nameof(Checks.NoSecrets), "aci is not secure", main => Module(main, "functionApp")["parameters"]!["aci"]!["type"] = "object"),
        ["container app's secret written down"] = (nameof(Checks.NoSecrets), "no secure parameter", main => The(main, ContainerApp)["properties.configuration.secrets"]![0]!["value"] = "{}"),
        ["parameter without description"] = (nameof(Checks.ParametersAreDescribed), "location has no description", main => Module(main, "storage")["parameters"]!["location"]!.AsObject().Remove("metadata")),
        ["output without description"] = (nameof(Checks.ParametersAreDescribed), "SCALER_URL has no description", main => main["outputs"]!["SCALER_URL"]!.AsObject().Remove("metadata")),
        ["number without limits"] = (nameof(Checks.ParametersAreDescribed), "standbySize has no limits", main => main["parameters"]!["standbySize"]!.AsObject().Remove("maxValue")),
        ["text without limits"] = (nameof(Checks.ParametersAreDescribed), "policy has no limits", main => Unlimit(main["parameters"]!["policy"]!.AsObject())),
        ["preview version"] = (nameof(Checks.VersionsAreStable), "preview", Set("Microsoft.DurableTask/schedulers", "apiVersion", "2024-10-01-preview")),
        ["name by chance"] = (nameof(Checks.NamesAreDeterministic), "newGuid", main => main["variables"]!["suffix"] = "[newGuid()]"),
        ["name by the clock"] = (nameof(Checks.NamesAreDeterministic), "utcNow", main => Module(main, "storage")["parameters"]!["name"]!["defaultValue"] = "[utcNow()]"),
        ["other Application Insights"] = (nameof(Checks.ExistingIsDeployed), "functionApp: nothing deploys", main => main["resources"]!["functionApp"]!["properties"]!["parameters"]!["insightsName"]!["value"] = "other"),
        ["Application Insights elsewhere"] = (nameof(Checks.ExistingIsDeployed), "containerApp: nothing deploys", main => main["resources"]!["containerApp"]!["resourceGroup"] = "elsewhere"),
        ["output of another name"] = (nameof(Checks.ExistingIsDeployed), "nothing deploys", main => Module(main, "monitoring")["outputs"]!["insightsName"]!["value"] = "[parameters('workspaceName')]"),
        ["something existing that no check knows"] = (nameof(Checks.ExistingIsDeployed), "no check knows", Set(Account, "existing", true)),
        ["setting that no option reads"] = (nameof(Checks.SettingsAgree), "ParkSecs, which no option reads", Rename("Scaler__ParkSeconds", "Scaler__ParkSecs")),
        ["option that no setting sets"] = (nameof(Checks.SettingsAgree), "the app reads Scaler__ParkSeconds", Rename("Scaler__ParkSeconds", "Scaler__ParkSecs")),
        ["setting twice"] = (nameof(Checks.SettingsAgree), "twice", Rename("Scaler__CreateBurst", "Scaler__ParkSeconds")),
        ["setting that is excused"] = (nameof(Checks.SettingsAgree), "set all the same", Rename("Scaler__Policy", "Scaler__Platform")),
        ["leasing by another name"] = (nameof(Checks.SettingsAgree), "becomes no setting", main => Module(main, "functionApp")["variables"]!["scalerSettings"]!.AsArray().Single(s => (string?)s!["name"] == "Scaler__ParkSeconds")!["value"] = "[parameters('leasing').parkTime]"),
        ["unknown setting of container instances"] = (nameof(Checks.SettingsAgree), "sets ports", main => main["resources"]!["functionApp"]!["properties"]!["parameters"]!["aci"]!["value"]!["ports"] = 1),
    };

    public static TheoryData<string> CheckNames => [.. Checks.All.Keys];

    public static TheoryData<string> MutationNames => [.. Mutations.Keys];

    [BicepTheory]
    [MemberData(nameof(CheckNames))]
    public async Task The_deployment_passes(string check) => Assert.Empty(Checks.All[check]((await Bicep.CompileAsync()).Template));

    [BicepTheory]
    [MemberData(nameof(MutationNames))]
    public async Task A_check_refuses(string mutation)
    {
        var (check, says, change) = Mutations[mutation];
        var template = (await Bicep.CompileAsync()).Template;
        var before = template.ToJsonString();
        change(template);
        Assert.NotEqual(before, template.ToJsonString());
        Assert.Contains(Checks.All[check](template), problem => problem.Contains(says, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_check_has_a_mutation_that_it_refuses() => Assert.Equal(Checks.All.Keys.Order(), Mutations.Values.Select(m => m.Check).Distinct().Order());

    [BicepTheory]
    [InlineData("Microsoft.Web/serverfarms", "2025-03-01")]
    [InlineData("Microsoft.Web/sites", "2025-03-01")]
    [InlineData("Microsoft.Storage/storageAccounts", "2025-06-01")]
    [InlineData("Microsoft.ManagedIdentity/userAssignedIdentities", "2024-11-30")]
    [InlineData("Microsoft.ContainerInstance/containerGroupProfiles", "2025-09-01")]
    [InlineData("Microsoft.DurableTask/schedulers", "2025-11-01")]
    [InlineData("Microsoft.StandbyPool/standbyContainerGroupPools", "2025-03-01")]
    public async Task A_resource_has_the_version_that_the_specification_names(string type, string version) =>
        Assert.All(ArmTemplate.ResourcesOf((await Bicep.CompileAsync()).Template, type).Select(r => r.Text("apiVersion")).DefaultIfEmpty(), v => Assert.Equal(version, v));

    [BicepFact]
    public async Task Azd_sends_parameters_that_the_deployment_has()
    {
        var sent = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(Bicep.Infra, "bicep", "main.parameters.json")))!["parameters"]!.AsObject().Select(p => p.Key);
        var has = (await Bicep.CompileAsync()).Template["parameters"]!.AsObject().Select(p => p.Key);
        Assert.Empty(sent.Except(has));
    }

    private static Action<JsonObject> Set(string type, string path, JsonNode? value) => main => The(main, type).Set(path, value?.DeepClone());

    private static Action<JsonObject> Output(string module, string name, string value) => main =>
        Module(main, module)["outputs"]![name] = new JsonObject { ["type"] = "string", ["value"] = value };

    private static Action<JsonObject> Rename(string setting, string name) => main =>
        Module(main, "functionApp")["variables"]!["scalerSettings"]!.AsArray().Single(s => (string?)s!["name"] == setting)!["name"] = name;

    private static void Unlimit(JsonObject text)
    {
        text.Remove("minLength");
        text.Remove("maxLength");
    }

    private static JsonObject Module(JsonObject main, string name) => main["resources"]![name]!["properties"]!["template"]!.AsObject();

    private static ArmResource The(JsonObject main, string type, string named = "") =>
        ArmTemplate.ResourcesOf(main, type).First(r => r.Text("name")!.Contains(named, StringComparison.Ordinal));
}
