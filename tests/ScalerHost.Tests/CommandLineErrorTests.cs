using System.Globalization;
using System.Net;
using System.Net.Sockets;
using FuncScaler.ScalerHost.Commands;

namespace FuncScaler.Tests;

/// <summary>Bad input ends in one clear sentence and exit code 1 or 2, never in a stack trace.</summary>
public class CommandLineErrorTests
{
    private const string GoodMeta = """{"key": "f", "runtime": "go", "timeoutInSecs": 60, "memoryInMb": 128, "initDurationInMs": 10}""";

    [Theory]
    [InlineData(2, "There is no policy 'nosuch'. Choose one of: ", "contest", "--preset", "smoke", "--policy", "nosuch")]
    [InlineData(2, "'x' is not a number of seconds", "contest", "--preset", "smoke", "--policy", "ttl:x")]
    [InlineData(2, "--preset 'nosuch' is no preset: choose one of sparse", "contest", "--preset", "nosuch")]
    [InlineData(2, "Give either --data or --preset, not both.", "contest", "--preset", "smoke", "--data", ".")]
    [InlineData(2, "Name a trace: give --data, --preset, --csv, --parquet, --azure2019, --azure2021, --azure-llm, --huawei2023 or --huawei2025.", "simulate")]
    [InlineData(2, "--workers \"1,x\": \"x\" is no number of workers. Give numbers from 1 to 64 with commas between them, as 1,2,4.", "simulate", "--preset", "smoke", "--workers", "1,x")]
    [InlineData(2, "--workers goes with one trace and no --seeds, --markdown or --bound-only: leave one of them out.", "simulate", "--preset", "smoke", "--workers", "2", "--seeds", "1..2")]
    [InlineData(2, "--limits nosuch.json: the file cannot be read: ", "serve", "--limits", "nosuch.json")]
    [InlineData(2, "--limits nosuch.json: the file cannot be read: ", "simulate", "--preset", "smoke", "--limits", "nosuch.json")]
    [InlineData(2, "--concurrency 'x' is no number of requests: give 1 to 1000", "simulate", "--preset", "smoke", "--concurrency", "x")]
    [InlineData(2, "Give one of --data, --preset, --csv, ", "explain", "--preset", "smoke", "--azure2019", "x")]
    [InlineData(2, "--csv needs --map: write for example --map key=function,start=timestamp,duration=ms.", "simulate", "--csv", "x.csv")]
    [InlineData(2, "--map 'key=a': two of start, duration and end are needed", "simulate", "--csv", "x.csv", "--map", "key=a")]
    [InlineData(2, "--map 'key=a,start=b,duration=c': 'fortnight' is no unit: write s, ms, us or ns", "simulate", "--csv", "x.csv", "--map", "key=a,start=b,duration=c", "--unit", "fortnight")]
    [InlineData(2, "--defaults 'memory' cannot be read: write NAME=NUMBER", "simulate", "--csv", "x.csv", "--map", "key=a,start=b,duration=c", "--defaults", "memory")]
    [InlineData(2, "There is no file \"x.csv\"", "simulate", "--csv", "x.csv", "--map", "key=a,start=b,duration=c")]
    [InlineData(2, "--day 15 is no day of that trace: give 1 to 14", "simulate", "--azure2019", "x", "--day", "15")]
    [InlineData(2, "--format 'png' is no format: choose one of contest, vhive", "generate", "--preset", "smoke", "--out", "/tmp/never-made", "--format", "png")]
    [InlineData(2, "There is no policy 'nosuch'. Choose one of: ", "simulate", "--preset", "smoke", "--policy", "ttl,nosuch")]
    [InlineData(2, "--seeds '3..1' is no list of seeds: write for example 1..20", "simulate", "--preset", "smoke", "--seeds", "3..1")]
    [InlineData(2, "'5..1' is no range: write two numbers of 0 or more, the smaller first", "simulate", "--preset", "smoke", "--policy", "ttl:5..1")]
    [InlineData(2, "--experiment \"nosuch.json\": there is no such file.", "simulate", "--experiment", "nosuch.json")]
    [InlineData(2, "--sort-by 'beauty' is no measure of this run: choose one of score, resourceScore, ", "simulate", "--preset", "smoke", "--sort-by", "beauty")]
    [InlineData(2, "cost needs --latency-price, money --gb-second", "simulate", "--preset", "smoke", "--sort-by", "money")]
    [InlineData(2, "--waiting-second needs --gb-second", "simulate", "--preset", "smoke", "--waiting-second", "1")]
    [InlineData(2, "--gb-second 0 gives memory no price", "simulate", "--preset", "smoke", "--gb-second", "0")]
    [InlineData(2, "Name a trace: give --data", "explain", "--function", "f")]
    [InlineData(2, "Name a function with --function. The busiest are: ", "explain", "--preset", "smoke")]
    [InlineData(2, "'nosuch' has no request in smoke. The busiest are: ", "explain", "--preset", "smoke", "--function", "nosuch")]
    [InlineData(2, "The policy 'ttl:9' does not explain its decisions. These do: adaptive.", "explain", "--preset", "smoke", "--policy", "ttl:9")]
    [InlineData(2, "--backend 'nosuch' is not known: choose one of simulator, process, aci", "serve", "--backend", "nosuch")]
    [InlineData(2, "--waiting-second and --latency-price are two prices of the same thing", "serve", "--latency-price", "1", "--waiting-second", "1", "--gb-second", "1")]
    [InlineData(2, "--waiting-second needs --gb-second", "serve", "--waiting-second", "1")]
    [InlineData(2, "--gb-second needs --waiting-second", "serve", "--gb-second", "1")]
    [InlineData(2, "--gb-second 0 is too little beside --waiting-second: give more", "serve", "--gb-second", "0", "--waiting-second", "1")]
    [InlineData(2, "--latency-price-of 'f' is no price of a function: write KEY=X", "serve", "--latency-price-of", "f")]
    [InlineData(2, "--latency-price-of 'f' has two prices", "serve", "--latency-price-of", "f=1", "--latency-price-of", "f=2")]
    [InlineData(2, "funcscaler serve has no option '--nosuch': See 'funcscaler serve --help'.", "serve", "--nosuch")]
    [InlineData(2, "funcscaler simulate has no option '--polcy': did you mean --policy? See 'funcscaler simulate --help'.", "simulate", "--polcy", "ttl:9")]
    [InlineData(2, "There is no command 'smulate': did you mean simulate? See 'funcscaler --help'.", "smulate")]
    [InlineData(2, "funcscaler simulate takes nothing but options, and 'faas' is none. See", "simulate", "faas")]
    [InlineData(2, "--preset 'fass' is no preset: did you mean faas? choose one of", "simulate", "--preset", "fass")]
    [InlineData(2, "--policy 'adptive' cannot be read: Did you mean adaptive? There is no policy", "simulate", "--preset", "smoke", "--policy", "adptive")]
    [InlineData(2, "Name a command: serve, health, token, platform, contest, simulate, explain, generate, soak.")]
    [InlineData(1, "The platform at 127.0.0.1:1 cannot be reached", "serve", "--platform", "127.0.0.1:1", "--platform-timeout", "0", "--grpc-port", "0", "--http-port", "0")]
    public async Task A_wrong_argument_ends_in_one_sentence(int exitCode, string sentence, params string[] arguments)
    {
        var result = await FuncScalerCommand.RunAsync(arguments);

        AssertOneSentence(result, exitCode, sentence);
    }

    [Theory]
    [InlineData("simulate", "--length", "60s", "is no number of seconds that can be used: give 0.001 to 1000000000")]
    [InlineData("simulate", "--length", "0", "give 0.001")]
    [InlineData("simulate", "--length", "-5", "give 0.001")]
    [InlineData("contest", "--length", "NaN", "give 0.001")]
    [InlineData("generate", "--length", "1e400", "give 0.001")]
    [InlineData("simulate", "--length", "", "give 0.001")]
    [InlineData("simulate", "--from", "soon", "give 0 to 1000000000")]
    [InlineData("simulate", "--from", "-1", "give 0 to 1000000000")]
    [InlineData("simulate", "--from", "999999999", "is beyond the last request, which comes after")]
    [InlineData("explain", "--at", "abc", "give 0 to 1000000000")]
    [InlineData("explain", "--at", "-1", "give 0 to 1000000000")]
    [InlineData("simulate", "--tail", "-1", "give 0 to 1000000000")]
    [InlineData("simulate", "--tail", "x", "give 0 to 1000000000")]
    [InlineData("contest", "--tail", "1e9", "give 0 to 1000000,")]
    [InlineData("platform", "--tail", "1e9", "give 0 to 1000000,")]
    [InlineData("simulate", "--threads", "0", "is no number of processors: give 1 to 1024")]
    [InlineData("simulate", "--threads", "-1", "give 1 to 1024")]
    [InlineData("simulate", "--threads", "two", "give 1 to 1024")]
    [InlineData("simulate", "--threads", "99999999999", "give 1 to 1024")]
    [InlineData("simulate", "--seed", "1.5", "is no seed: give a whole number")]
    [InlineData("generate", "--seed", "99999999999999999999", "is no seed")]
    [InlineData("serve", "--state-forget-days", "0", "is no number of days: give 1 to 36500")]
    [InlineData("soak", "--seed", "-1", "is no seed: give a whole number from 0")]
    [InlineData("soak", "--minutes", "0", "is no time that can be used: give a number of minutes above 0")]
    [InlineData("soak", "--backend", "7", "is nothing that worlds can be played on: give simulator, aci or nodes")]
    [InlineData("soak", "--schedules", "0", "is no number of worlds: give a whole number from 1")]
    [InlineData("simulate", "--rpc-ms", "-1", "is no number of milliseconds that can be used: give 0 to 1000000")]
    [InlineData("simulate", "--rpc-ms", "NaN", "give 0 to 1000000")]
    [InlineData("explain", "--rpc-ms", "fast", "give 0 to 1000000")]
    [InlineData("simulate", "--latency-price", "-1", "is neither auto nor a price: give auto, or 0 to")]
    [InlineData("simulate", "--latency-price", "NaN", "is neither auto nor a price")]
    [InlineData("serve", "--latency-price", "dear", "is neither auto nor a price")]
    [InlineData("serve", "--grpc-port", "70000", "is no port: give 0, for any free one, to 65535")]
    [InlineData("serve", "--http-port", "-1", "is no port")]
    [InlineData("platform", "--port", "http", "is no port")]
    [InlineData("platform", "--control-port", "1.5", "is no port")]
    [InlineData("contest", "--port", "", "is no port")]
    [InlineData("serve", "--listen", "localhost", "is no IP address: write for example 127.0.0.1")]
    [InlineData("platform", "--listen", "", "is no IP address")]
    [InlineData("serve", "--platform", "http://", "is no address: write host:port")]
    [InlineData("serve", "--platform", "somewhere", "is no address: write host:port")]
    [InlineData("serve", "--platform-timeout", "10s", "give 0 to 1000000,")]
    [InlineData("serve", "--otlp", "ftp://x:1", "is no address")]
    [InlineData("contest", "--scaler", "", "is no address")]
    [InlineData("platform", "--scaler", "127.0.0.1:99999", "is no address")]
    [InlineData("health", "--address", ":", "is no address")]
    [InlineData("simulate", "--data", "", "is no path: write where the file or folder is")]
    [InlineData("simulate", "--azure2019", "", "is no path")]
    [InlineData("explain", "--azure2021", "", "is no path")]
    [InlineData("simulate", "--out", "", "is no path")]
    [InlineData("generate", "--out", "", "is no path")]
    [InlineData("serve", "--functions", "", "is no path")]
    [InlineData("serve", "--aci", "", "is no path")]
    [InlineData("simulate", "--preset", "", "is no preset: choose one of")]
    [InlineData("contest", "--policy", "", "cannot be read")]
    public async Task A_wrong_value_is_told_with_its_option_and_with_what_is_wanted(string command, string option, string value, string wanted)
    {
        var named = command switch
        {
            "serve" or "health" or "platform" or "soak" => [],
            _ when option is "--preset" or "--data" or "--azure2019" or "--azure2021" => [],
            "generate" when option != "--out" => ["--preset", "smoke", "--out", "/tmp/never-made"],
            _ => (string[])["--preset", "smoke"],
        };

        var result = await RunHereAsync([command, .. named, option, value]);

        AssertOneSentence(result, 2, $"{option} {(option == "--from" && value.StartsWith('9') ? value : $"'{value}'")} ");
        Assert.Contains(wanted, result.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("'maybe'", "simulate", "--preset", "smoke", "--json=maybe")]
    [InlineData("'--seed'", "simulate", "--preset", "smoke", "--seed")]
    [InlineData("'--seed'", "simulate", "--preset", "smoke", "--seed", "1", "--seed", "2")]
    [InlineData("takes no request from 0.5 s on: give more", "simulate", "--preset", "smoke", "--from", "0.5", "--length", "0.001")]
    public async Task A_wrong_use_of_an_option_is_told_in_one_sentence(string sentence, params string[] arguments)
    {
        AssertOneSentence(await RunHereAsync(arguments), 2, sentence);
    }

    [Fact]
    public async Task A_switch_can_be_turned_off()
    {
        var result = await FuncScalerCommand.RunAsync("simulate", "--preset", "smoke", "--policy", "ttl:9", "--length", "60", "--json=false");

        Assert.Equal(0, result.ExitCode);
        Assert.DoesNotContain("{", result.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("contest", "--tail", "0")]
    [InlineData("simulate", "--policy", "all")]
    [InlineData("simulate", "--policy", "ttl:9")]
    public async Task A_broken_line_names_file_line_and_field(params string[] command)
    {
        using var folder = new TemporaryFolder();
        folder.File("metas", GoodMeta);
        folder.File(
            "requests",
            """{"metaKey": "f", "startTime": 1000, "durationsInMs": 5, "statusCode": 200}""",
            """{"metaKey": "f", "startTime": "soon", "durationsInMs": 5, "statusCode": 200}""");

        var result = await FuncScalerCommand.RunAsync([.. command, "--data", folder.Path]);

        AssertOneSentence(result, 2, "startTime");
        Assert.Contains("requests", result.Errors, StringComparison.Ordinal);
        Assert.Contains("line 2", result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_request_of_an_unknown_function_names_its_line()
    {
        using var folder = new TemporaryFolder();
        folder.File("metas", GoodMeta);
        folder.File("requests", """{"metaKey": "g", "startTime": 1000, "durationsInMs": 5, "statusCode": 200}""");

        var result = await FuncScalerCommand.RunAsync("contest", "--data", folder.Path, "--tail", "0");

        AssertOneSentence(result, 2, "metaKey");
        Assert.Contains("line 1", result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_data_set_says_what_was_looked_for()
    {
        using var folder = new TemporaryFolder();

        var result = await FuncScalerCommand.RunAsync("contest", "--data", folder.Path);

        AssertOneSentence(result, 2, "metas");
    }

    [Theory]
    [InlineData("serve", "--http-port", "0", "--grpc-port")]
    [InlineData("platform", "--control-port", "0", "--port")]
    public async Task A_port_in_use_is_named(string command, string otherPort, string zero, string port)
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var number = ((IPEndPoint)taken.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);

        var result = await FuncScalerCommand.RunAsync(command, otherPort, zero, port, number);

        AssertOneSentence(result, 1, number);
    }

    [Fact]
    public async Task An_unreachable_scaler_is_named()
    {
        var result = await FuncScalerCommand.RunAsync(
            "contest", "--preset", "smoke", "--length", "1", "--tail", "0", "--scaler", "127.0.0.1:1", "--scaler-timeout", "0", "--port", "0");

        AssertOneSentence(result, 1, "127.0.0.1:1");
    }

    /// <summary>Runs a command that is wrong in this process, because starting one takes longer than a hundred errors.</summary>
    private static async Task<(int ExitCode, string Output, string Errors)> RunHereAsync(string[] arguments)
    {
        await using var errors = new StringWriter(CultureInfo.InvariantCulture);
        var parsed = CommandLine.Root().Parse(arguments);
        Assert.True(parsed.Errors.Count > 0 || parsed.CommandResult.Command.Name is "simulate" or "explain" or "generate" or "contest", "this would start a service");
        return (await CommandLine.RunAsync(arguments, errors), "", errors.ToString());
    }

    private static void AssertOneSentence((int ExitCode, string Output, string Errors) result, int exitCode, string sentence)
    {
        var lines = result.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(l => !l.EndsWith("requests", StringComparison.Ordinal)).ToArray();
        var line = Assert.Single(lines);
        Assert.StartsWith("error: ", line, StringComparison.Ordinal);
        Assert.Contains(sentence, line, StringComparison.Ordinal);
        Assert.DoesNotContain("Exception", result.Errors + result.Output, StringComparison.Ordinal);
        Assert.Equal(exitCode, result.ExitCode);
    }
}
