using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using FuncScaler.ContestSimulator.Platform;
using FuncScaler.ContestSimulator.Traces;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using static FuncScaler.Tests.Platform.ListTrace;

namespace FuncScaler.Tests.Platform;

/// <summary>The platform behind its real ports, with a scaler behind another: short traces in real time, nothing timed.</summary>
public sealed class ContestPlatformServerTests : IAsyncLifetime, IDisposable
{
    private static readonly ListTrace Short = new(
        [Function("f", 256, 3), Function("g", 512, 5)],
        [.. Enumerable.Range(0, 60).Select(i => Request(i * 3, 4, i % 2))]);

    private readonly HttpClient _http = new();
    private FakeScalerHost _scaler = null!;
    private ContestPlatformServer _platform = null!;

    public async Task InitializeAsync() => await StartAsync(Fault.None);

    public async Task DisposeAsync()
    {
        await _platform.DisposeAsync();
        await _scaler.DisposeAsync();
    }

    public void Dispose() => _http.Dispose();

    [Fact]
    public async Task A_run_in_process_serves_every_request_over_the_wire()
    {
        var report = await _platform.RunAsync(new ContestRun("one", Short));

        Assert.Null(report.Error);
        Assert.Empty(report.Misuses);
        Assert.Equal((60, 0, 60), (report.Score.Requests, report.Score.FailedRequests, report.Sent));
        Assert.Equal(0.240, report.Score.ExecutionSeconds, 9);
        Assert.Equal(0.090, report.Score.ExecutionGbSeconds, 9);
        Assert.Equal(report.Measured.SlotsOfRun, report.LiveSlots);
        Assert.InRange(report.Score.Total, double.Epsilon, 100);
        Assert.Equal(report, _platform.Report);
    }

    [Fact]
    public async Task Disposing_of_the_platform_twice_is_harmless()
    {
        await _platform.DisposeAsync();
        await _platform.DisposeAsync();
    }

    [Theory]
    [InlineData(Fault.GrantsTwice, Misuse.InstanceAlreadyAssigned)]
    [InlineData(Fault.AssignRpcError, Misuse.AssignRpcError)]
    [InlineData(Fault.UnknownInstance, Misuse.UnknownInstance)]
    [InlineData(Fault.IdleRpcError, Misuse.IdleRpcError)]
    public async Task A_misbehaving_scaler_is_caught_over_the_wire(Fault fault, Misuse misuse)
    {
        await DisposeAsync();
        await StartAsync(fault);
        // The second comes while the first, which takes a second, executes.
        var trace = new ListTrace([Function("f", 256, 1)], [Request(0, 1000), Request(500, 10)]);

        var report = await _platform.RunAsync(new ContestRun("wrong", trace));

        Assert.Contains(report.Misuses, counted => counted.Kind == misuse);
        Assert.True(report.Score.FailedRequests > 0);
        Assert.Equal(0, report.Score.Total);
    }

    [Fact]
    public async Task Before_the_first_run_the_result_says_so_and_has_not_ended_yet()
    {
        var result = await GetAsync("/");
        Assert.Equal("not end yet", result.GetProperty("endTime").GetString());
        Assert.Contains("no run yet", result.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.Equal("ok", (await GetAsync("/healthz")).GetProperty("status").GetString());
    }

    [Theory]
    [InlineData(null, "application/json")]
    [InlineData("*/*", "application/json")]
    [InlineData("application/json", "application/json")]
    [InlineData("text/html,application/xhtml+xml,*/*;q=0.8", "text/plain")]
    public async Task Browsers_get_the_page_at_the_root_and_programs_the_result(string? accept, string expected)
    {
        await using var platform = new ContestPlatformServer(Options(_scaler.Address))
        {
            Page = new ControlPage(_ => { }, endpoints => endpoints.MapGet("/", http =>
            {
                http.Response.ContentType = "text/plain";
                return http.Response.WriteAsync("the page", http.RequestAborted);
            })),
        };
        await platform.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"http://127.0.0.1:{platform.ControlPort}/"));
        if (accept is not null)
        {
            request.Headers.Add("Accept", accept);
        }

        using var response = await _http.SendAsync(request);

        Assert.Equal((HttpStatusCode.OK, expected), (response.StatusCode, response.Content.Headers.ContentType?.MediaType));
        Assert.Contains("Accept", response.Headers.Vary);
    }

    [Fact]
    public async Task What_the_platform_reads_off_its_books_agrees_with_the_report()
    {
        await _platform.RunAsync(new ContestRun("one", Short));

        var reading = _platform.Read();

        Assert.Equal("one", reading.Report!.Id);
        Assert.Equal(reading.Report.LiveSlots, reading.Functions.Sum(f => f.Busy + f.Idle + f.InFlight));
        Assert.Equal((60, 0, 0), (reading.Functions.Sum(f => f.Arrivals), reading.Functions.Sum(f => f.Waiting), reading.Functions.Sum(f => f.Busy)));
        Assert.Equal(reading.Report.Measured.SlotsOfRun, reading.Report.LiveSlots + reading.DestroyedSlots);
    }

    [Fact]
    public async Task A_run_is_started_by_its_files_polled_and_reported()
    {
        using var started = await PostAsync("""{"id":"seven","requestFilePath":"r.jsonl","metaFilePath":"m.jsonl"}""");
        Assert.Equal(HttpStatusCode.OK, started.StatusCode);

        var result = await EndAsync();

        Assert.Equal(
            ("seven", "r.jsonl", "m.jsonl", 60),
            (result.GetProperty("id").GetString(),
            result.GetProperty("requestFilePath").GetString(),
            result.GetProperty("metaFilePath").GetString(),
            result.GetProperty("totalRequestsCount").GetInt64()));
        Assert.Equal(100, result.GetProperty("successRate").GetDouble());
        Assert.False(result.TryGetProperty("error", out _));
        var report = await GetAsync("/report");
        Assert.Equal("seven", report.GetProperty("result").GetProperty("id").GetString());
        Assert.True(report.GetProperty("measured").GetProperty("coldStarts").GetInt64() > 0);
    }

    [Fact]
    public async Task A_run_without_files_replays_the_default_trace()
    {
        using var started = await PostAsync("{}");
        Assert.Equal(HttpStatusCode.OK, started.StatusCode);
        Assert.Equal("list", (await EndAsync()).GetProperty("id").GetString());
    }

    [Fact]
    public async Task While_one_runs_another_is_refused()
    {
        var held = new TaskCompletionSource();
        var arrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _scaler.Scaler.BeforeAssign = (_, _) =>
        {
            arrived.TrySetResult();
            return held.Task;
        };
        using var first = await PostAsync("""{"id":"first"}""");
        await arrived.Task;

        using var second = await PostAsync("""{"id":"second"}""");
        Assert.Equal(HttpStatusCode.Conflict, second.StatusCode);
        Assert.Contains("\"first\"", await ErrorAsync(second), StringComparison.Ordinal);
        await Assert.ThrowsAsync<ContestPlatformException>(() => _platform.RunAsync(new ContestRun("third", Short)));
        Assert.Equal("not end yet", (await GetAsync("/")).GetProperty("endTime").GetString());

        held.SetResult();
        Assert.Equal("first", (await EndAsync()).GetProperty("id").GetString());
        using var again = await PostAsync("""{"id":"fourth"}""");
        Assert.Equal(HttpStatusCode.OK, again.StatusCode);
        Assert.Equal("fourth", (await EndAsync()).GetProperty("id").GetString());
    }

    [Fact]
    public async Task Another_run_can_begin_as_soon_as_the_report_says_that_one_has_ended()
    {
        Task<RunReport>? next = null;
        var progress = new AtOnce(() =>
        {
            if (_platform.Report!.EndTime is not null)
            {
                next ??= _platform.RunAsync(new ContestRun("next", Short));
            }
        });

        await _platform.RunAsync(new ContestRun("first", Short), progress);

        Assert.Equal("next", (await next!).Id);
        Assert.Equal("next", _platform.Report!.Id);
    }

    [Theory]
    [InlineData("null", "JSON")]
    [InlineData("[1]", "JSON")]
    [InlineData("{\"id\":7}", "JSON")]
    [InlineData("{\"requestFilePath\":\"r\"}", "go together")]
    [InlineData("{\"requestFilePath\":\"r\",\"metaFilePath\":\"missing\"}", "Could not find")]
    [InlineData("{\"requestFilePath\":\"r\",\"metaFilePath\":\"bad-metas\"}", "metas line 1")]
    [InlineData("{\"requestFilePath\":\"r\",\"metaFilePath\":\"bad-requests\"}", "requests line 1")]
    [InlineData("{\"requestFilePath\":\"r\",\"metaFilePath\":\"duplicates\"}", "two functions")]
    public async Task A_wrong_start_is_refused_with_a_reason_and_starts_nothing(string body, string reason)
    {
        using var refused = await PostAsync(body);

        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.Contains(reason, await ErrorAsync(refused), StringComparison.Ordinal);
        Assert.Null(_platform.Report);
    }

    [Theory]
    [InlineData("GET", "/start", HttpStatusCode.MethodNotAllowed)]
    [InlineData("POST", "/", HttpStatusCode.MethodNotAllowed)]
    [InlineData("GET", "/nowhere", HttpStatusCode.NotFound)]
    public async Task Other_requests_are_refused_with_a_reason(string method, string path, HttpStatusCode status)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), Control(path));
        using var response = await _http.SendAsync(request);
        Assert.Equal(status, response.StatusCode);
        Assert.NotEmpty(await ErrorAsync(response));
    }

    [Theory]
    [InlineData("Origin", "http://evil.example", "pages of http://evil.example may not call this platform")]
    [InlineData("Origin", "null", "pages of null may not call this platform")]
    [InlineData("Sec-Fetch-Site", "cross-site", "pages of other origins may not call this platform")]
    [InlineData("Host", "evil.example:9", "this platform serves its own machine alone, which is not called evil.example:9")]
    public async Task A_web_page_begins_no_run(string header, string value, string reason)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, Control("/start"));
        request.Headers.TryAddWithoutValidation(header, value);

        using var refused = await _http.SendAsync(request);

        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        Assert.StartsWith(reason, await ErrorAsync(refused), StringComparison.Ordinal);
        Assert.Null(_platform.Report);
    }

    [Fact]
    public async Task A_page_of_the_platform_s_own_and_a_program_begin_runs()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, Control("/start"));
        request.Headers.TryAddWithoutValidation("Origin", $"http://127.0.0.1:{_platform.ControlPort}");
        request.Headers.TryAddWithoutValidation("Sec-Fetch-Site", "same-origin");

        using var started = await _http.SendAsync(request);

        Assert.Equal(HttpStatusCode.OK, started.StatusCode);
    }

    [Fact]
    public async Task A_trace_that_turns_out_to_be_malformed_ends_the_run_with_an_error()
    {
        using var started = await PostAsync("""{"requestFilePath":"r","metaFilePath":"bad-later"}""");
        Assert.Equal(HttpStatusCode.OK, started.StatusCode);

        var result = await EndAsync();

        Assert.Contains("requests line 2", result.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_scaler_that_is_not_there_is_named()
    {
        using var nobody = new ReservedPort();
        await using var platform = new ContestPlatformServer(Options(nobody.Address) with
        {
            ScalerWait = TimeSpan.FromMilliseconds(50),
        });
        await platform.StartAsync();

        var error = await Assert.ThrowsAsync<ContestPlatformException>(() => platform.RunAsync(new ContestRun("none", Short)));

        Assert.Contains(nobody.Address.Authority, error.Message, StringComparison.Ordinal);
        Assert.Equal(error.Message, platform.Report!.Error);
        Assert.NotNull(platform.Report.EndTime);
    }

    [Fact]
    public async Task A_port_in_use_is_named()
    {
        await using var second = new ContestPlatformServer(Options(_scaler.Address) with { PlatformPort = _platform.PlatformPort });

        var error = await Assert.ThrowsAsync<ContestPlatformException>(() => second.StartAsync());

        Assert.Contains($"Port {_platform.PlatformPort}", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stopping_ends_the_current_run()
    {
        var arrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _scaler.Scaler.BeforeAssign = (_, cancellation) =>
        {
            arrived.TrySetResult();
            return Task.Delay(Timeout.Infinite, cancellation);
        };
        var run = _platform.RunAsync(new ContestRun("cut", Short));
        await arrived.Task;

        await _platform.StopAsync();

        var report = await run;
        Assert.Contains("cancelled", report.Error, StringComparison.Ordinal);
        Assert.Equal(0, report.Score.Requests);
    }

    private static ContestPlatformOptions Options(Uri scaler) => new()
    {
        CreateDelay = TimeSpan.FromMilliseconds(5),
        DestroyDelay = TimeSpan.FromMilliseconds(1),
        Tail = TimeSpan.Zero,
        PlatformPort = 0,
        ControlPort = 0,
        ScalerAddress = scaler,
        DefaultTrace = Short,
        OpenTrace = Open,
    };

    private static ListTrace Open(string metas, string requests) => metas switch
    {
        "missing" => throw new FileNotFoundException("Could not find file 'missing'."),
        "bad-metas" => throw new TraceFormatException("metas line 1: no key"),
        "bad-requests" => new ListTrace(Short.Functions, [], "requests line 1: no metaKey"),
        "bad-later" => new ListTrace(Short.Functions, [Request(0, 1)], "requests line 2: no metaKey"),
        "duplicates" => new ListTrace([Function("f", 1, 1), Function("f", 1, 1)], []),
        _ => Short,
    };

    private async Task StartAsync(Fault fault)
    {
        _scaler = await FakeScalerHost.StartAsync(fault);
        _platform = new ContestPlatformServer(Options(_scaler.Address));
        await _platform.StartAsync();
        _scaler.Connect(new Uri($"http://127.0.0.1:{_platform.PlatformPort}"));
    }

    private Uri Control(string path) => new($"http://127.0.0.1:{_platform.ControlPort}{path}");

    private async Task<HttpResponseMessage> PostAsync(string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        return await _http.PostAsync(Control("/start"), content);
    }

    private async Task<JsonElement> GetAsync(string path) => await _http.GetFromJsonAsync<JsonElement>(Control(path));

    private static async Task<string> ErrorAsync(HttpResponseMessage response) =>
        (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error").GetString()!;

    /// <summary>Polls as a contestant does.</summary>
    private async Task<JsonElement> EndAsync()
    {
        while (true)
        {
            var result = await GetAsync("/");
            if (result.GetProperty("endTime").GetString() != "not end yet")
            {
                return result;
            }
        }
    }

    private sealed class AtOnce(Action report) : IProgress<RunProgress>
    {
        public void Report(RunProgress value) => report();
    }
}
