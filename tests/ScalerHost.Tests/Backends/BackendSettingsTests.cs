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
        await ExpectErrorAsync("--backend 'docker' is not known: choose one of simulator, process, aci.", "--backend", "docker");
        await ExpectErrorAsync("cannot be read", "--backend", "aci", "--aci", "/no/such/file");
    }

    [Theory]
    [InlineData("{ \"functions\": {} }", "name a command for at least one")]
    [InlineData("{ \"functions\": { \"f\": { \"command\": [] } } }", "functions.f.command '' is no command: write the program and its arguments")]
    [InlineData("{ \"functions\": { \"f\": { \"command\": [\"node\"], \"directory\": \"nowhere\" } } }", "nowhere' is no folder: ")]
    [InlineData("{ \"functions\": { \"f\": { \"comand\": [\"node\"] } } }", "functions.f.comand is no setting: there are command, directory, environment, start, code, call.")]
    [InlineData("{ \"functions\": { \"f\": { \"command\": [\"node\"], \"call\": { \"memoryMb\": 0 } } } }", "functions.f.call.memoryMb 0 is out of range: give 1 to 1048576")]
    [InlineData("{ \"runtimes\": { \"go\": { \"command\": [\"x\"], \"call\": { \"timeoutSeconds\": 3601 } } } }", "runtimes.go.call.timeoutSeconds 3601 is out of range: give 1 to 3600")]
    [InlineData("{\n\"functions\": 3 }", "functions 3 cannot be read: give an object")]
    [InlineData("{ \"functions\": null }", "functions null cannot be read")]
    [InlineData("{ \"functions\": { \"f\": null } }", "functions.f null cannot be read: give an object, with the names command,")]
    [InlineData("{ \"functions\": { \"a/b c\": [] } }", "functions['a/b c'] [] cannot be read")]
    [InlineData("{ \"functions\": { \"f\": { \"command\": [\"node\", null] } } }", "functions.f.command[1] null cannot be read: give text")]
    [InlineData("{ \"functions\": { \"f\": {} }, \"Functions\": {} }", "Functions is given twice")]
    [InlineData("{ \"maxMemoryMb\": \"big\" }", "maxMemoryMb \"big\" cannot be read: give a whole number")]
    [InlineData("{ \"maxMemoryMb\": 99999999999 }", "maxMemoryMb 99999999999 cannot be read")]
    [InlineData("{ \"limitMemory\": 1 }", "limitMemory 1 cannot be read: give true or false")]
    [InlineData("{ \"isolation\": \"none\" }", "isolation \"none\" cannot be read: give one of \"auto\", \"cgroup\", \"tree\"")]
    [InlineData("{ \"runtimes\": { \"go\": { \"command\": [\"x\"], \"start\": { \"timeout\": \"3 days\" } } } }", "runtimes.go.start.timeout \"3 days\" cannot be read: give a time, as \"3s\", \"500ms\", \"00:00:03\" or 3, which is in seconds")]
    [InlineData("{ \"runtimes\": { \"go\": { \"command\": [\"x\"], \"start\": { \"timeout\": \"1d\" } } } }", "runtimes.go.start.timeout 1.00:00:00 is out of range: give 00:00:00.0010000 to 01:00:00")]
    [InlineData("{ \"stopTimeout\": -1 }", "stopTimeout -00:00:01 is out of range")]
    [InlineData("{ \"stopTimeout\": 1e300 }", "stopTimeout 1e300 cannot be read")]
    [InlineData("{ \"passEnvironment\": [\"A=b\"] }", "passEnvironment 'A=b' is no variable's name")]
    [InlineData("{\n\"functions\": \n", ", byte 1 is no JSON: ")]
    [InlineData("", ", byte 1 is no JSON: ")]
    [InlineData("{ \"functions\": {}, // a comment\n \"maxProcesses\": 5000000, }", "maxProcesses 5000000 is out of range: give 0 to 4194304")]
    [InlineData("// a comment\n{ /* and */ \"stopTimeout\": /* one */ \"3\", }", "functions and runtimes are empty")]
    [InlineData("[]", "the whole [] cannot be read: give an object, with the names functions, runtimes,")]
    public async Task A_wrong_file_of_functions_is_explained(string json, string expected)
    {
        using var folder = new TemporaryFolder();
        await ExpectErrorAsync(expected, "--backend", "process", "--functions", folder.File("functions.json", json));
    }

    [Fact]
    public async Task A_file_without_an_end_and_one_that_is_no_text_are_refused()
    {
        using var folder = new TemporaryFolder();
        var file = folder.File("functions.json", "");
        await File.WriteAllBytesAsync(file, [(byte)'{', 0xC3, 0x28, (byte)'}']);

        await ExpectErrorAsync("cannot be read: it has more than 64 MB.", "--backend", "process", "--functions", "/dev/zero");
        await ExpectErrorAsync("cannot be read: Unable to translate", "--backend", "process", "--functions", file);
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

        var (exitCode, _, errors) = await FuncScalerCommand.RunAsync("serve", "--backend", "aci", "--aci", file);

        Assert.Equal(2, exitCode);
        foreach (var setting in (string[])["subscription", "owner", "resourceGroup", "region", "port", "cpuPerGb", "subnetId", "registryServer", "standbyPoolId", "images", "logWorkspaceId", "tags", "createLimits[0].calls", "armEndpoint", "maxGroupsPerRegion", "pollDelay"])
        {
            Assert.Contains(setting, errors, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("{ \"randomizer\": 1 }", "randomizer is no setting: there are owner, run, subscription,")]
    [InlineData("{ \"places\": [{ \"resourceGroup\": null }] }", "places[0].resourceGroup null cannot be read: give text in quotes")]
    [InlineData("{ \"places\": [{ \"region\": \"westeurope\" }] }", "places[0].resourceGroup null is no resource group's name")]
    [InlineData("{ \"createLimits\": [{ \"calls\": 1, \"per\": \"5\" }, { \"calls\": 1, \"per\": \"48h\" }] }", "createLimits[1].per 2.00:00:00 is out of range: give 00:00:00.0010000 to 1.00:00:00")]
    [InlineData("{ \"sweepInterval\": \"00:00\" }", "sweepInterval \"00:00\" cannot be read: give a time")]
    [InlineData("{ \"sweepInterval\": \"30d\" }", "sweepInterval 30.00:00:00 is out of range")]
    [InlineData("{ \"provisionTimeout\": 7201 }", "provisionTimeout 02:00:01 is out of range: give 00:00:00.0010000 to 02:00:00")]
    [InlineData("{ \"maxRetries\": 21 }", "maxRetries 21 is out of range: give 0 to 20")]
    [InlineData("{ \"armEndpoint\": \"management\" }", "armEndpoint 'management' is no address of Resource Manager")]
    [InlineData("{ \"tags\": { \"a\": 1 } }", "tags.a 1 cannot be read: give text in quotes")]
    public async Task A_wrong_setting_of_container_instances_is_told_with_its_path(string json, string expected)
    {
        using var folder = new TemporaryFolder();
        await ExpectErrorAsync(expected, "--backend", "aci", "--aci", folder.File("aci.json", json));
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
        var (exitCode, _, errors) = await FuncScalerCommand.RunAsync(["serve", .. arguments]);

        Assert.Equal(code, exitCode);
        Assert.Contains(expected, errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
        Assert.DoesNotContain("System.", errors, StringComparison.Ordinal);
    }
}
