namespace FuncScaler.Tests.Backends;

/// <summary>Wrong settings are found before anything is started, and the message says what, where and how to mend it.</summary>
public class BackendSettingsTests
{
    private const string Subscription = "00000000-0000-0000-0000-000000000001";

    [Fact]
    public async Task A_backend_without_its_file_says_which_option_it_needs()
    {
        await ExpectErrorAsync("--backend aci needs --aci FILE", "--backend", "aci");
        await ExpectErrorAsync("--backend process needs --functions FILE", "--backend", "process");
        await ExpectErrorAsync("There is no backend 'docker'. Choose one of: simulator, process, aci.", "--backend", "docker");
        await ExpectErrorAsync("cannot be read", "--backend", "aci", "--aci", "/no/such/file");
    }

    [Theory]
    [InlineData("{ \"functions\": {} }", "name a command for at least one")]
    [InlineData("{ \"functions\": { \"f\": { \"command\": [] } } }", "'f' has no command")]
    [InlineData("{ \"functions\": { \"f\": { \"command\": [\"node\"], \"directory\": \"nowhere\" } } }", "nowhere, which is no folder")]
    [InlineData("{ \"functions\": { \"f\": { \"comand\": [\"node\"] } } }", "'comand'")]
    [InlineData("{\n\"functions\": 3 }", "line 2")]
    [InlineData("{ \"functions\": null }", "functions")]
    [InlineData("", "$")]
    public async Task A_wrong_file_of_functions_is_explained(string json, string expected)
    {
        using var folder = new TemporaryFolder();
        await ExpectErrorAsync(expected, "--backend", "process", "--functions", folder.File("functions.json", json));
    }

    [Fact]
    public async Task Wrong_settings_of_container_instances_are_all_told_at_once()
    {
        using var folder = new TemporaryFolder();
        var file = folder.File("aci.json", """
            { "subscription": "mine", "owner": "-Bad--name", "places": [{ "resourceGroup": "", "region": "West Europe" }], "port": 0,
              "cpuPerGb": 0, "subnetId": "default", "registryServer": "x.azurecr.io", "standbyPoolId": "/subscriptions/x", "images": { "go": " " },
              "logWorkspaceId": "x", "tags": { "funcscaler-owner": "me" }, "createLimits": [{ "calls": 0, "per": "01:00:00" }], "armEndpoint": "http://example.com",
              "maxGroupsPerRegion": 0, "pollDelay": "00:00:00" }
            """);

        var (exitCode, _, errors) = await FuncScalerProcess.RunAsync("serve", "--backend", "aci", "--aci", file);

        Assert.Equal(2, exitCode);
        foreach (var setting in (string[])["subscription", "owner", "resourceGroup", "region", "port", "cpuPerGb", "subnetId", "registryServer", "standbyPoolId", "images", "logWorkspaceId", "tags", "calls", "armEndpoint", "maxGroupsPerRegion", "pollDelay"])
        {
            Assert.Contains(setting, errors, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_platform_that_cannot_be_reached_ends_the_start_with_its_name()
    {
        using var folder = new TemporaryFolder();
        var file = folder.File("aci.json", $$"""
            { "subscription": "{{Subscription}}", "places": [{ "resourceGroup": "g", "region": "westeurope" }], "images": { "*": "i" },
              "armEndpoint": "http://127.0.0.1:1", "genericResources": true, "maxRetries": 0 }
            """);

        await ExpectErrorAsync(
            "cannot be asked what exists already", 1, "--backend", "aci", "--aci", file, "--platform-timeout", "0", "--grpc-port", "0", "--http-port", "0");
    }

    private static Task ExpectErrorAsync(string expected, params string[] arguments) => ExpectErrorAsync(expected, 2, arguments);

    private static async Task ExpectErrorAsync(string expected, int code, params string[] arguments)
    {
        var (exitCode, _, errors) = await FuncScalerProcess.RunAsync(["serve", .. arguments]);

        Assert.Equal(code, exitCode);
        Assert.Contains(expected, errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
    }
}
