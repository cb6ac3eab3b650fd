using System.Net;
using System.Net.Sockets;

namespace FuncScaler.Tests;

/// <summary>Bad input ends in one clear sentence and exit code 1 or 2, never in a stack trace.</summary>
public class CommandLineErrorTests
{
    private const string GoodMeta = """{"key": "f", "runtime": "go", "timeoutInSecs": 60, "memoryInMb": 128, "initDurationInMs": 10}""";

    [Theory]
    [InlineData(2, "There is no policy 'nosuch'. Choose one of: ", "contest", "--preset", "smoke", "--policy", "nosuch")]
    [InlineData(2, "'x' is not a number of seconds", "contest", "--preset", "smoke", "--policy", "ttl:x")]
    [InlineData(2, "There is no preset 'nosuch'. Choose one of: sparse", "contest", "--preset", "nosuch")]
    [InlineData(2, "Give either --data or --preset, not both.", "contest", "--preset", "smoke", "--data", ".")]
    [InlineData(2, "Name a trace: give --data, --preset, --azure2019 or --azure2021.", "simulate")]
    [InlineData(2, "Give one of --data, --preset, --azure2019 and --azure2021.", "simulate", "--preset", "smoke", "--azure2019", "x")]
    [InlineData(2, "There is no policy 'nosuch'. Choose one of: ", "simulate", "--preset", "smoke", "--policy", "ttl,nosuch")]
    [InlineData(2, "--rpc-ms is a number of milliseconds: give 0 or more.", "simulate", "--preset", "smoke", "--rpc-ms", "-1")]
    [InlineData(2, "--rpc-ms is a number of milliseconds: give 0 or more.", "simulate", "--preset", "smoke", "--rpc-ms", "NaN")]
    [InlineData(2, "--latency-price '-1' is neither auto nor a price: give 0 or more", "simulate", "--preset", "smoke", "--latency-price", "-1")]
    [InlineData(2, "--latency-price 'NaN' is neither auto nor a price: give 0 or more", "simulate", "--preset", "smoke", "--latency-price", "NaN")]
    [InlineData(2, "--latency-price 'dear' is neither auto nor a price: give 0 or more", "simulate", "--preset", "smoke", "--latency-price", "dear")]
    [InlineData(2, "Name a trace: give --data", "explain", "--function", "f")]
    [InlineData(2, "Name a function with --function. The busiest are: ", "explain", "--preset", "smoke")]
    [InlineData(2, "'nosuch' has no request in smoke. The busiest are: ", "explain", "--preset", "smoke", "--function", "nosuch")]
    [InlineData(2, "The policy 'ttl:9' does not explain its decisions. These do: adaptive.", "explain", "--preset", "smoke", "--policy", "ttl:9")]
    [InlineData(2, "There is no backend 'nosuch'", "serve", "--backend", "nosuch")]
    [InlineData(2, "is no address: write host:port", "serve", "--platform", "http://")]
    [InlineData(2, "--grpc-port is a port", "serve", "--grpc-port", "70000")]
    [InlineData(2, "--nosuch", "serve", "--nosuch")]
    [InlineData(1, "The platform at 127.0.0.1:1 cannot be reached", "serve", "--platform", "127.0.0.1:1", "--platform-timeout", "0", "--grpc-port", "0", "--http-port", "0")]
    public async Task A_wrong_argument_ends_in_one_sentence(int exitCode, string sentence, params string[] arguments)
    {
        var result = await FuncScalerProcess.RunAsync(arguments);

        AssertOneSentence(result, exitCode, sentence);
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

        var result = await FuncScalerProcess.RunAsync([.. command, "--data", folder.Path]);

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

        var result = await FuncScalerProcess.RunAsync("contest", "--data", folder.Path, "--tail", "0");

        AssertOneSentence(result, 2, "metaKey");
        Assert.Contains("line 1", result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_data_set_says_what_was_looked_for()
    {
        using var folder = new TemporaryFolder();

        var result = await FuncScalerProcess.RunAsync("contest", "--data", folder.Path);

        AssertOneSentence(result, 2, "metas");
    }

    [Theory]
    [InlineData("serve", "--http-port", "0", "--grpc-port")]
    [InlineData("platform", "--control-port", "0", "--port")]
    public async Task A_port_in_use_is_named(string command, string otherPort, string zero, string port)
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var number = ((IPEndPoint)taken.LocalEndpoint).Port.ToString(System.Globalization.CultureInfo.InvariantCulture);

        var result = await FuncScalerProcess.RunAsync(command, otherPort, zero, port, number);

        AssertOneSentence(result, 1, number);
    }

    [Fact]
    public async Task An_unreachable_scaler_is_named()
    {
        var result = await FuncScalerProcess.RunAsync(
            "contest", "--preset", "smoke", "--length", "1", "--tail", "0", "--scaler", "127.0.0.1:1", "--port", "0");

        AssertOneSentence(result, 1, "127.0.0.1:1");
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
