using System.Collections.Concurrent;
using System.Net;
using FuncScaler.SlotBackends.Aci;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Tests.FakeArm;

/// <summary>
/// <see cref="SimulatedArm"/> on a free loopback port, with faults by script. The containers themselves answer too, each on a loopback address of
/// its own.
/// </summary>
internal sealed class FakeArmServer : SimulatedArm, IAsyncDisposable
{
    private WebApplication? _server;
    private FakeContainers? _containers;

    private FakeArmServer(TimeProvider time)
        : base(time)
    {
    }

    public ConcurrentQueue<ArmFault> Puts { get; } = new();

    public ConcurrentQueue<ArmFault> Gets { get; } = new();

    public ConcurrentQueue<ArmFault> Deletes { get; } = new();

    public ConcurrentQueue<ArmFault> Lists { get; } = new();

    public ConcurrentQueue<ArmFault> Polls { get; } = new();

    /// <summary>The method and the last part of the path of every call, in order.</summary>
    public ConcurrentQueue<string> Calls { get; } = new();

    public Uri Address => new(_server!.Urls.First());

    /// <summary>The port the containers listen on.</summary>
    public int ContainerPort => _containers!.Port;

    public static async Task<FakeArmServer> StartAsync(TimeProvider? time = null)
    {
        var fake = new FakeArmServer(time ?? TimeProvider.System);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        fake._server = builder.Build();
        fake._server.Run(fake.HandleAsync);
        await fake._server.StartAsync();
        fake._containers = await FakeContainers.StartAsync(fake.FindByAddress);
        return fake;
    }

    /// <summary>Whether POST /init is answered with an error that never ends.</summary>
    public bool InitNeverEnds
    {
        set => _containers!.InitNeverEnds = value;
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _server!.StopAsync(now.Token);
        await _server.DisposeAsync();
        await _containers!.DisposeAsync();
    }

    private async Task HandleAsync(HttpContext http)
    {
        var path = http.Request.Path.Value!;
        Calls.Enqueue($"{http.Request.Method} {path[(path.LastIndexOf('/') + 1)..]}");
        if (http.Request.Headers.Authorization.Count == 0)
        {
            http.Response.StatusCode = 401;
            await http.Response.WriteAsync(Error("AuthenticationFailed", "no token").ToJsonString());
            return;
        }

        var script = path.StartsWith(Operations, StringComparison.Ordinal) ? Polls : http.Request.Method switch
        {
            "PUT" => Puts,
            "DELETE" => Deletes,
            _ => path.EndsWith("/containerGroups", StringComparison.OrdinalIgnoreCase) ? Lists : Gets,
        };
        using var reader = new StreamReader(http.Request.Body);
        var body = await reader.ReadToEndAsync();
        var uri = new Uri($"https://{http.Request.Host}{http.Request.Path}{http.Request.QueryString}");
        await WithFaultAsync(http, script, fault => Answer(http.Request.Method, uri, body, fault.Provisioning, fault.ProvisioningError));
    }

    private static async Task WriteForEverAsync(HttpContext http)
    {
        http.Response.ContentType = "application/json";
        var words = System.Text.Encoding.ASCII.GetBytes(new string('x', 64 * 1024));
        await http.Response.WriteAsync("\"", http.RequestAborted);
        while (!http.RequestAborted.IsCancellationRequested)
        {
            await http.Response.Body.WriteAsync(words, http.RequestAborted);
        }
    }

    private static async Task WithFaultAsync(HttpContext http, ConcurrentQueue<ArmFault> script, Func<ArmFault, ArmReply> handle)
    {
        var fault = script.TryDequeue(out var scripted) ? scripted : ArmFault.None;
        var failing = fault.Status != 0 || fault.CutsConnection || fault.Hangs;
        var answer = !failing || fault.TakesEffect ? handle(fault) : null;
        if (fault.Hangs)
        {
            try
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, http.RequestAborted);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }

        if (fault.CutsConnection)
        {
            http.Abort();
            return;
        }

        if (failing)
        {
            answer = new ArmReply(fault.Status, Error(fault.Code, fault.Message)) { RetryAfter = fault.RetryAfter };
        }

        http.Response.StatusCode = answer!.Status;
        foreach (var (name, value) in answer.Headers)
        {
            http.Response.Headers[name] = value;
        }

        if (fault.NeverEnds)
        {
            await WriteForEverAsync(http);
        }
        else if (fault.Body is { } body)
        {
            http.Response.ContentType = "application/json";
            await http.Response.WriteAsync(body);
        }
        else if (answer.Body is not null)
        {
            http.Response.ContentType = "application/json";
            await http.Response.WriteAsync(answer.Body.ToJsonString());
        }
    }
}
