using System.Net;
using FuncScaler.SlotBackends.Aci;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Tests.FakeArm;

/// <summary>
/// What runs in the fake's container groups: an action runtime that takes POST /init once and answers POST /run. One server for all; the
/// address that was called tells the group.
/// </summary>
internal sealed class FakeContainers : IAsyncDisposable
{
    private readonly WebApplication _server;
    private readonly Func<string, ArmGroup?> _find;

    private FakeContainers(WebApplication server, Func<string, ArmGroup?> find)
    {
        _server = server;
        _find = find;
    }

    public bool InitNeverEnds { get; set; }

    public int Port => new Uri(_server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()
        .Replace("0.0.0.0", "127.0.0.1", StringComparison.Ordinal)).Port;

    public static async Task<FakeContainers> StartAsync(Func<string, ArmGroup?> find)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();

        // Any address: each container has one of its own in 127.0.0.0/8.
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Any, 0));
        var containers = new FakeContainers(builder.Build(), find);
        containers._server.Run(containers.HandleAsync);
        await containers._server.StartAsync();
        return containers;
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _server.StopAsync(now.Token);
        await _server.DisposeAsync();
    }

    private async Task HandleAsync(HttpContext http)
    {
        var address = http.Connection.LocalIpAddress!.MapToIPv4();
        if (!IPAddress.IsLoopback(address) || _find(address.ToString()) is not { } group)
        {
            http.Abort();
            return;
        }

        using var reader = new StreamReader(http.Request.Body);
        var body = await reader.ReadToEndAsync();
        switch (http.Request.Path.Value)
        {
            case "/init" when InitNeverEnds:
                http.Response.StatusCode = 500;
                for (var part = new byte[4096]; !http.RequestAborted.IsCancellationRequested;)
                {
                    Array.Fill(part, (byte)'x');
                    await http.Response.Body.WriteAsync(part, http.RequestAborted);
                }

                break;
            case "/init":
                lock (group)
                {
                    group.Inits.Add(body);
                    http.Response.StatusCode = group.Inits.Count == 1 ? 200 : 403;
                }

                await http.Response.WriteAsync(http.Response.StatusCode == 200 ? "{\"ok\":true}" : "{\"error\":\"Cannot initialize the action more than once.\"}");
                break;
            case "/run":
                using (group.Execute())
                {
                    await Task.Yield();
                    await http.Response.WriteAsync($"{{\"group\":\"{group.Id}\"}}");
                }

                break;
            default:
                await http.Response.WriteAsync("ok");
                break;
        }
    }
}
