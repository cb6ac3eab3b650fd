using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using FuncScaler.Samples.Gateway;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Tests.Samples;

/// <summary>The gateway, between a stand-in for the scaler with one instance and another server on this machine that is nobody's instance.</summary>
public sealed class GatewayTests : IAsyncLifetime
{
    private readonly ConcurrentQueue<string> _atInstance = new();
    private readonly ConcurrentQueue<string> _elsewhere = new();
    private readonly ConcurrentQueue<JsonNode> _assigned = new();
    private readonly ConcurrentQueue<JsonNode> _released = new();
    private readonly ConcurrentQueue<string> _concurrency = new();
    private readonly ConcurrentQueue<Uri> _refusing = new();
    private readonly List<WebApplication> _servers = [];
    private Uri _instance = null!;
    private Uri _other = null!;
    private Uri _scaler = null!;
    private Uri _gateway = null!;
    private DirectoryInfo? _folder;
    private bool _scalerIsHealthy = true;

    public async Task InitializeAsync()
    {
        _instance = await ServeAsync(http => TellAsync(http, _atInstance, "the instance"));
        _other = await ServeAsync(http => TellAsync(http, _elsewhere, "elsewhere"));
        _scaler = await ServeAsync(ScaleAsync);
        await StartAsync();
    }

    public async Task DisposeAsync()
    {
        foreach (var server in _servers)
        {
            await server.StopAsync();
            await server.DisposeAsync();
        }

        _folder?.Delete(recursive: true);
    }

    [Theory]
    [InlineData("/invoke/hello//{other}/x")]
    [InlineData("/invoke/hello///{other}/x")]
    [InlineData("/invoke/hello/%2F{other}/x")]
    [InlineData("/invoke/hello/%2F%2F{other}/x")]
    [InlineData("/invoke/hello/%5C%5C{other}/x")]
    [InlineData("/invoke/hello/\\\\{other}/x")]
    [InlineData("/invoke/hello/http://{other}/x")]
    [InlineData("/invoke/hello/@{other}/x")]
    [InlineData("/invoke/hello/:80@{other}/x")]
    [InlineData("/invoke/hello/..//{other}/x")]
    [InlineData("/invoke/hello/%0d%0aHost:%20{other}/x")]
    [InlineData("/invoke/hello/%09/{other}/x")]
    [InlineData("/invoke/hello?//{other}/x")]
    [InlineData("/invoke/hello/?@{other}/x")]
    public async Task No_path_leads_to_another_host(string path)
    {
        await CallAsync(path.Replace("{other}", _other.Authority, StringComparison.Ordinal));

        Assert.Empty(_elsewhere);
    }

    [Theory]
    [InlineData("/invoke/hello", "/")]
    [InlineData("/invoke/hello/", "/")]
    [InlineData("/invoke/hello/a/b?c=d%20e", "/a/b?c=d%20e")]
    [InlineData("/invoke/hello//a", "//a")]
    [InlineData("/invoke/hello/a%20b%3Fc", "/a%20b%3Fc")]
    [InlineData("/invoke/hello/caf%C3%A9", "/caf%C3%A9")]
    public async Task The_rest_of_the_path_and_the_query_arrive_as_they_were_written(string path, string arrives)
    {
        Assert.StartsWith("HTTP/1.1 200", await CallAsync(path), StringComparison.Ordinal);

        Assert.Equal(arrives, Assert.Single(_atInstance));
        Assert.False(Assert.Single(_released)["result"]!["needDestroy"]!.GetValue<bool>());
    }

    [Fact]
    public async Task Instances_that_refuse_the_connection_are_given_back_as_broken_and_the_caller_is_told_after_the_third()
    {
        using var nobody = new ReservedPort();
        _instance = nobody.Address;

        var answer = await CallAsync("/invoke/hello/");

        Assert.StartsWith("HTTP/1.1 502", answer, StringComparison.Ordinal);
        Assert.Contains("3 instances of the function refused the connection", answer, StringComparison.Ordinal);
        Assert.Equal(3, _released.Count);
        Assert.All(_released, released =>
        {
            Assert.True(released["result"]!["needDestroy"]!.GetValue<bool>());
            Assert.Contains("refused", released["result"]!["reason"]!.GetValue<string>(), StringComparison.OrdinalIgnoreCase);
        });
    }

    [Fact]
    public async Task A_refused_connection_is_tried_on_another_instance_with_the_same_body()
    {
        using var nobody = new ReservedPort();
        _refusing.Enqueue(nobody.Address);

        var answer = await CallAsync("/invoke/hello/echo", "to be or not to be");

        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
        Assert.Contains("to be or not to be", answer, StringComparison.Ordinal);
        Assert.Equal([true, false], _released.Select(r => r["result"]!["needDestroy"]!.GetValue<bool>()));
        Assert.Equal(2, _assigned.Select(a => a["requestId"]!.GetValue<string>()).Distinct().Count());
    }

    [Fact]
    public async Task An_instance_that_breaks_off_after_it_had_the_request_is_not_tried_again()
    {
        var answer = await CallAsync("/invoke/hello/break", "charge the card");

        Assert.StartsWith("HTTP/1.1 502", answer, StringComparison.Ordinal);
        Assert.Contains("broke the call off", answer, StringComparison.Ordinal);
        Assert.Single(_assigned);
        Assert.True(Assert.Single(_released)["result"]!["needDestroy"]!.GetValue<bool>());
    }

    [Fact]
    public async Task Callers_and_functions_see_how_the_request_was_started_and_callers_cannot_pretend_it()
    {
        var answer = await CallAsync("/invoke/hello/start", header: "X-Instance-Start: warm");

        Assert.Contains("x-instance-start: cold\r\n", answer, StringComparison.Ordinal);
        Assert.Contains("started cold", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_function_that_the_file_does_not_name_is_answered_with_404_and_the_scaler_is_not_asked()
    {
        await RestartAsync("""{ "functions": { "hello": {} } }""");

        Assert.StartsWith("HTTP/1.1 404", await CallAsync("/invoke/nosuch/"), StringComparison.Ordinal);
        Assert.Empty(_assigned);
        Assert.StartsWith("HTTP/1.1 200", await CallAsync("/invoke/hello/"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Memory_and_time_of_a_function_come_from_the_file_and_else_from_the_settings()
    {
        await RestartAsync("""{ "functions": { "hello": { "call": { "memoryMb": 64, "timeoutSeconds": 7 } }, /* a comment */ "other": {}, } }""", "--memoryMb", "512", "--timeoutSeconds", "11");

        await CallAsync("/invoke/hello/");
        await CallAsync("/invoke/other/");

        Assert.Equal(
            [("hello", 64, 7), ("other", 512, 11)],
            _assigned.Select(a => a["metaData"]!).Select(m => (m["key"]!.GetValue<string>(), m["memoryInMb"]!.GetValue<int>(), m["timeoutInSecs"]!.GetValue<int>())));
    }

    [Fact]
    public async Task A_function_that_takes_longer_than_its_time_is_answered_with_504_and_a_sentence()
    {
        await RestartAsync("""{ "functions": { "hello": { "call": { "timeoutSeconds": 1 } } } }""");

        var answer = await CallAsync("/invoke/hello/never");

        Assert.StartsWith("HTTP/1.1 504", answer, StringComparison.Ordinal);
        Assert.Contains("did not answer within 1 s", answer, StringComparison.Ordinal);
        Assert.True(Assert.Single(_released)["result"]!["needDestroy"]!.GetValue<bool>());
    }

    [Fact]
    public async Task How_many_requests_an_instance_serves_comes_from_the_file_and_the_scaler_is_told()
    {
        await RestartAsync("""{ "functions": { "hello": { "call": { "concurrency": 4 } }, "other": {} } }""");

        await CallAsync("/invoke/hello/");
        await CallAsync("/invoke/other/");

        Assert.Equal(["4", ""], _concurrency);
    }

    /// <summary>What a caller leaves behind may go on: that is nothing to destroy an instance for that serves several at a time.</summary>
    [Theory]
    [InlineData(1, true)]
    [InlineData(4, false)]
    public async Task A_caller_that_goes_away_ends_an_instance_that_serves_one_request_at_a_time(int concurrency, bool destroyed)
    {
        await RestartAsync($$"""{ "functions": { "hello": { "call": { "concurrency": {{concurrency}} } } } }""");
        using (var socket = new TcpClient())
        {
            await socket.ConnectAsync(_gateway.Host, _gateway.Port);
            await socket.GetStream().WriteAsync("GET /invoke/hello/never HTTP/1.1\r\nHost: gateway\r\n\r\n"u8.ToArray());
            await Eventually.HoldsAsync(() => !_atInstance.IsEmpty);
        }

        await Eventually.HoldsAsync(() => !_released.IsEmpty);
        Assert.Equal(destroyed, Assert.Single(_released)["result"]!["needDestroy"]!.GetValue<bool>());
    }

    [Theory]
    [InlineData("""{ "functions": { "hello": { "call": { "concurrency": 0 } } } }""", "functions.hello.call.concurrency 0 is out of range")]
    [InlineData("""{ "functions": { "hello": { "call": { "memoryMb": 0 } } } }""", "functions.hello.call.memoryMb 0 is out of range")]
    [InlineData("""{ "functions": { "hello": { "call": { "timeoutSeconds": "5s" } } } }""", "functions.hello.call.timeoutSeconds \"5s\" is out of range")]
    [InlineData("""{ "functions": { "hello": { "call": 5 } } }""", "cannot be read")]
    [InlineData("""{ "functions": [] }""", "cannot be read")]
    [InlineData("""{ }""", "cannot be read")]
    [InlineData("no JSON", "cannot be read")]
    public void A_file_of_functions_that_cannot_be_used_is_told_with_its_place(string json, string sentence)
    {
        var error = Assert.Throws<InvalidDataException>(() => FunctionTable.Read(new GatewaySettings { Functions = Write(json) }));

        Assert.Contains(sentence, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public async Task A_scaler_without_an_instance_is_quoted_with_its_status()
    {
        var answer = await CallAsync("/invoke/full/");

        Assert.StartsWith("HTTP/1.1 429", answer, StringComparison.Ordinal);
        Assert.Contains("too many wait", answer, StringComparison.Ordinal);
        Assert.Empty(_released);
    }

    [Fact]
    public async Task A_browser_sees_a_page_while_a_start_takes_long_and_asking_again_makes_no_second_start()
    {
        var held = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var slow = await ServeAsync(async http =>
        {
            if (http.Request.Path == "/api/assign")
            {
                await held.Task;
            }

            await ScaleAsync(http);
        });
        await StartAsync("--scaler", slow.ToString(), "--waitingPageMs", "1");
        using var browser = new HttpClient();
        browser.DefaultRequestHeaders.Add("Accept", "text/html,*/*;q=0.8");
        var address = new Uri(_gateway, "/invoke/hello/");
        for (var i = 0; i < 3; i++)
        {
            using var page = await browser.GetAsync(address);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, page.StatusCode);
            Assert.Contains("being started", await page.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        held.SetResult();
        await Eventually.HoldsAsync(() => _released.Count == 1);

        Assert.Single(_assigned);
        await Eventually.HoldsAsync(async () =>
        {
            using var answer = await browser.GetAsync(address);
            return answer.StatusCode == HttpStatusCode.OK;
        });
    }

    [Fact]
    public async Task Without_the_setting_a_browser_waits_as_programs_do()
    {
        using var browser = new HttpClient();
        browser.DefaultRequestHeaders.Add("Accept", "text/html");

        Assert.Equal("the instance", await browser.GetStringAsync(new Uri(_gateway, "/invoke/hello/")));
    }

    [Fact]
    public async Task Health_is_the_scalers()
    {
        Assert.StartsWith("HTTP/1.1 200", await CallAsync("/healthz"), StringComparison.Ordinal);

        _scalerIsHealthy = false;

        Assert.StartsWith("HTTP/1.1 503", await CallAsync("/healthz"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_requests_of_a_function_meet_at_one_of_several_scalers_and_its_releases_too()
    {
        var asked = new ConcurrentQueue<(string Scaler, string Path)>();
        var scalers = new List<Uri>();
        foreach (var name in new[] { "a", "b", "c" })
        {
            scalers.Add(await ServeAsync(async http =>
            {
                asked.Enqueue((name, http.Request.Path));
                await ScaleAsync(http);
            }));
        }

        await StartAsync("--scaler", string.Join(',', scalers));
        for (var i = 0; i < 5; i++)
        {
            await CallAsync("/invoke/hello/x");
        }

        var (scaler, _) = asked.First();
        Assert.Equal(10, asked.Count(a => a.Scaler == scaler));
        Assert.Equal(5, asked.Count(a => a.Path == "/api/release"));
        for (var i = 0; i < 20; i++)
        {
            await CallAsync($"/invoke/f{i}/x");
        }

        Assert.Equal(["a", "b", "c"], asked.Select(a => a.Scaler).Distinct().Order());

        // Functions that follow it meet where it does.
        var following = string.Join(", ", Enumerable.Range(0, 20).Select(i => $$""" "f{{i}}": { "call": { "with": "hello" } }"""));
        await RestartAsync($$"""{ "functions": { {{following}} } }""", "--scaler", string.Join(',', scalers));
        asked.Clear();
        for (var i = 0; i < 20; i++)
        {
            await CallAsync($"/invoke/f{i}/x");
        }

        Assert.Equal([scaler], asked.Select(a => a.Scaler).Distinct());
    }

    [Fact]
    public async Task A_scaler_that_takes_no_connection_is_passed_over()
    {
        // Bound and not listening: nobody else gets the port, and connections are refused.
        using var reserved = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        reserved.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var gone = new Uri($"http://{reserved.LocalEndPoint}");
        await StartAsync("--scaler", $"{_scaler},{gone}");
        for (var i = 0; i < 10; i++)
        {
            Assert.StartsWith("HTTP/1.1 200", await CallAsync($"/invoke/f{i}/x"), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_popular_function_moves_on_when_its_home_has_more_than_its_share_and_comes_back()
    {
        using var ring = new ScalerRing(new GatewaySettings { Scaler = "http://a,http://b,http://c,http://d" }, TimeProvider.System);
        var home = Scaler(ring, "popular");
        var rare = Enumerable.Range(0, 1000).Select(i => $"rare {i}").First(f => Scaler(ring, f) == home);
        var routes = Enumerable.Range(0, 40).Select(_ => ring.Enter("popular")).ToList();
        var shares = routes.GroupBy(r => r.Scaler).Select(g => g.Count()).ToList();

        // 1.25 of an equal share is 13 of 40.
        Assert.Equal((4, 13), (shares.Count, shares.Max()));

        // A function of few requests stays where it is at home, although that has its share.
        Assert.Same(home, Scaler(ring, rare));

        routes.ForEach(r => r.Dispose());
        Assert.Same(home, Scaler(ring, "popular"));

        static ScalerClient Scaler(ScalerRing ring, string function)
        {
            using var route = ring.Enter(function);
            return route.Scaler;
        }
    }

    [Theory]
    [InlineData("", "--scaler is empty: write the address of a scaler, as http://127.0.0.1:8080, or several with commas between them.")]
    [InlineData("http://a,b:80", "--scaler b:80 is no address: write http://127.0.0.1:8080, or several with commas between them.")]
    public void An_address_that_is_none_is_named(string scaler, string message) =>
        Assert.Equal(message, Assert.Throws<InvalidDataException>(() => GatewayApp.Build("--scaler", scaler)).Message);

    [Fact]
    public void The_file_of_the_sample_functions_can_be_read() =>
        Assert.Equal(["hello", "wordcount"], FunctionTable.Read(new GatewaySettings { Functions = Path.Combine(Repository.Root, "samples", "functions.json") }).Keys);

    private static async Task TellAsync(HttpContext http, ConcurrentQueue<string> calls, string answer)
    {
        calls.Enqueue(http.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpRequestFeature>()!.RawTarget);
        switch (http.Request.Path)
        {
            case "/echo":
                await http.Request.Body.CopyToAsync(http.Response.Body);
                break;
            case "/start":
                await http.Response.WriteAsync($"started {http.Request.Headers["x-instance-start"]}");
                break;
            case "/break":
                http.Abort();
                break;
            case "/never":
                await Task.Delay(Timeout.Infinite, http.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                break;
            default:
                await http.Response.WriteAsync(answer);
                break;
        }
    }

    /// <summary>A gateway with a file of functions takes the place of the one without.</summary>
    private Task RestartAsync(string functions, params string[] arguments) => StartAsync(["--functions", Write(functions), .. arguments]);

    private async Task StartAsync(params string[] arguments)
    {
        var gateway = GatewayApp.Build(["--scaler", _scaler.ToString(), "--listen", "http://127.0.0.1:0", .. arguments]);
        await gateway.StartAsync();
        _servers.Add(gateway);
        _gateway = new Uri(gateway.Urls.First());
    }

    private string Write(string json)
    {
        _folder ??= Directory.CreateTempSubdirectory("funcscaler-");
        var file = Path.Combine(_folder.FullName, "functions.json");
        File.WriteAllText(file, json);
        return file;
    }

    private async Task ScaleAsync(HttpContext http)
    {
        if (http.Request.Path == "/healthz")
        {
            http.Response.StatusCode = _scalerIsHealthy ? 200 : 500;
            return;
        }

        var request = (await JsonNode.ParseAsync(http.Request.Body))!;
        if (http.Request.Path == "/api/release")
        {
            _released.Enqueue(request);
            await http.Response.WriteAsync("{}");
            return;
        }

        if (request["metaData"]!["key"]!.GetValue<string>() == "full")
        {
            http.Response.StatusCode = StatusCodes.Status429TooManyRequests;
            await http.Response.WriteAsJsonAsync(new { status = "ResourceExhausted", error = "too many wait" });
            return;
        }

        _assigned.Enqueue(request);
        _concurrency.Enqueue(http.Request.Headers["x-max-concurrency"].ToString());
        var address = _refusing.TryDequeue(out var refusing) ? refusing : _instance;
        await http.Response.WriteAsJsonAsync(new { assigment = new { requestId = "r", instanceId = "i" }, address, start = "cold" });
    }

    private async Task<Uri> ServeAsync(RequestDelegate handle)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var server = builder.Build();
        server.Run(handle);
        await server.StartAsync();
        _servers.Add(server);
        return new Uri(server.Urls.First());
    }

    /// <summary>Sends a path exactly as it is written: clients tidy it up first.</summary>
    private async Task<string> CallAsync(string path, string body = "", string header = "X-Nothing: 0")
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        using var connection = new TcpClient();
        await connection.ConnectAsync(IPAddress.Loopback, _gateway.Port, limit.Token);
        var stream = connection.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"{(body.Length > 0 ? "POST" : "GET")} {path} HTTP/1.1\r\nHost: {_gateway.Authority}\r\n{header}\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n{body}"), limit.Token);
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync(limit.Token);
    }
}
