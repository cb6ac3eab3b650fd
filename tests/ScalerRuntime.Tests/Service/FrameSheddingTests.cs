using System.Net;
using FuncScaler.Contract;
using FuncScaler.Runtime.Service;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Tests.Runtime;

/// <summary>Assigns that are refused by their frames, on a connection whose other requests are served.</summary>
public sealed class FrameSheddingTests : IAsyncLifetime
{
    private readonly ManualTimeProvider _time = new();
    private readonly Admission _admission;
    private readonly Service _service = new();
    private WebApplication? _app;
    private GrpcChannel? _channel;
    private Scaler.ScalerClient? _client;
    private long _memory;

    public FrameSheddingTests() =>
        _admission = new Admission(new AdmissionOptions { MaxMemoryBytes = 1000 }, _time, _ => { }, () => _memory, beats: false);

    private Scaler.ScalerClient Client => _client!;

    public async Task InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(_service).AddGrpc();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenGrpc(IPAddress.Loopback, 0, admission: () => _admission));
        _app = builder.Build();
        _app.Use(_admission.InvokeAsync);
        _app.MapGrpcService<Service>();
        await _app.StartAsync();
        var address = _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        _channel = GrpcChannel.ForAddress(address);
        _client = new Scaler.ScalerClient(_channel);
        await AssignAsync("first");
    }

    public async Task DisposeAsync()
    {
        _channel!.Dispose();
        await _app!.DisposeAsync();
        _admission.Dispose();
    }

    [Fact]
    public async Task They_get_the_answer_that_the_service_would_give()
    {
        Refuse();

        var refusal = await RefusedAsync("r", bytes: 10);

        Assert.Equal("the scaler is short of memory and takes no more requests for now", refusal.Status.Detail);
        Assert.Equal("2000", refusal.Trailers.GetValue("grpc-retry-pushback-ms"));
        Assert.Equal(1, _service.Assigns);

        // The server dates its answers, so it has not made this one.
        Assert.Null(refusal.Trailers.GetValue("date"));
    }

    [Fact]
    public async Task Releases_between_them_are_served()
    {
        Refuse();

        for (var i = 0; i < 100; i++)
        {
            var refused = RefusedAsync($"r{i}", bytes: 10);
            await Client.IdleAsync(new IdleRequest());
            await refused;
        }

        Assert.Equal((1, 100), (_service.Assigns, _service.Releases));
    }

    [Fact]
    public async Task Who_is_let_in_later_is_served_on_the_same_connection()
    {
        for (var i = 0; i < 10; i++)
        {
            Refuse();
            await Task.WhenAll(Enumerable.Range(0, 50).Select(n => RefusedAsync($"r{i}-{n}", bytes: 10)));
            LetIn();
            await Task.WhenAll(Enumerable.Range(0, 50).Select(n => AssignAsync($"s{i}-{n}")));
        }

        Assert.Equal(501, _service.Assigns);
    }

    /// <summary>The connection's window has 16 MB: what is refused unread must be given back to it.</summary>
    [Fact]
    public async Task Their_bytes_do_not_use_up_the_connections_window()
    {
        Refuse();

        for (var i = 0; i < 40; i++)
        {
            await Task.WhenAll(Enumerable.Range(0, 10).Select(n => RefusedAsync($"r{i}-{n}", bytes: 60_000)));
        }

        LetIn();
        await AssignAsync("after");
    }

    [Fact]
    public async Task Callers_that_leave_before_they_are_refused_break_nothing()
    {
        Refuse();
        for (var i = 0; i < 200; i++)
        {
            using var call = Client.AssignAsync(new AssignRequest { RequestId = new string('x', i % 2 == 0 ? 10 : 60_000) });
        }

        await RefusedAsync("after", bytes: 10);
        LetIn();
        await AssignAsync("and after");
    }

    private void Refuse() => Use(2000);

    private void LetIn() => Use(0);

    private void Use(long memory)
    {
        _memory = memory;
        _time.Advance(TimeSpan.FromSeconds(1));
        _admission.Observe(TimeSpan.Zero);
    }

    private async Task AssignAsync(string id) =>
        Assert.Equal(id, (await Client.AssignAsync(new AssignRequest { RequestId = id })).Assigment.RequestId);

    private async Task<RpcException> RefusedAsync(string id, int bytes)
    {
        var refusal = await Assert.ThrowsAsync<RpcException>(() => Client.AssignAsync(new AssignRequest { RequestId = id.PadRight(bytes) }).ResponseAsync);
        Assert.True(refusal.StatusCode == StatusCode.ResourceExhausted, refusal.ToString());
        return refusal;
    }

    private sealed class Service : Scaler.ScalerBase
    {
        private int _assigns;
        private int _releases;

        public int Assigns => _assigns;

        public int Releases => _releases;

        public override Task<AssignReply> Assign(AssignRequest request, ServerCallContext context)
        {
            Interlocked.Increment(ref _assigns);
            return Task.FromResult(new AssignReply { Assigment = new Assignment { RequestId = request.RequestId } });
        }

        public override Task<IdleReply> Idle(IdleRequest request, ServerCallContext context)
        {
            Interlocked.Increment(ref _releases);
            return Task.FromResult(new IdleReply());
        }
    }
}
