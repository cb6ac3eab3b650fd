using System.Buffers;
using System.Collections.Frozen;
using FuncScaler.UnaryGrpc.Health;
using Google.Protobuf;

namespace FuncScaler.UnaryGrpc;

/// <summary>Which handler answers which method. Filled once, before the server starts.</summary>
public sealed class UnaryRoutes
{
    private readonly Dictionary<string, UnaryRoute> _routes = new(StringComparer.Ordinal);
    private readonly HashSet<string> _services = new(StringComparer.Ordinal);
    private FrozenDictionary<string, UnaryRoute>? _frozen;

    /// <summary>
    /// Serves the method with the handler. A handler answers with another status by throwing a <see cref="GrpcException"/>;
    /// whatever else it throws is logged and answered with UNKNOWN and a message that tells nothing.
    /// </summary>
    public UnaryRoutes Add<TRequest, TReply>(
        UnaryMethod<TRequest, TReply> method,
        Func<TRequest, UnaryCall, ValueTask<TReply>> handler)
        where TRequest : class, IMessage<TRequest>, new()
        where TReply : class, IMessage<TReply>, new()
    {
        ArgumentNullException.ThrowIfNull(method);
        ArgumentNullException.ThrowIfNull(handler);
        if (_frozen is not null)
        {
            throw new InvalidOperationException("Routes are added before the server is built.");
        }

        if (!_routes.TryAdd(method.Path, new UnaryRoute<TRequest, TReply>(method, handler)))
        {
            throw new ArgumentException($"{method.Path} has a handler already.", nameof(method));
        }

        _services.Add(method.Service);
        return this;
    }

    /// <summary>Serves grpc.health.v1.Health/Check; Watch streams, and is answered as any method that is not there.</summary>
    public UnaryRoutes AddHealth(ServingStates states)
    {
        ArgumentNullException.ThrowIfNull(states);
        return Add(ServingStates.Check, (request, _) => ValueTask.FromResult(states.Answer(request)));
    }

    internal void Freeze() => _frozen ??= _routes.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>The route of a path.</summary>
    /// <exception cref="GrpcException">Unimplemented, saying which part of the path is unknown.</exception>
    internal UnaryRoute Find(string path)
    {
        if (_frozen!.TryGetValue(path, out UnaryRoute? route))
        {
            return route;
        }

        int slash = path.LastIndexOf('/');
        string service = slash > 1 ? path[1..slash] : path;
        throw new GrpcException(
            GrpcStatus.Unimplemented,
            _services.Contains(service) ? $"Unknown method {path[(slash + 1)..]} of service {service}." : $"Unknown service {service}.");
    }
}

/// <summary>A handler without its types, so that the server's code exists once.</summary>
internal abstract class UnaryRoute
{
    /// <summary>What a caller is told of an exception: nothing.</summary>
    public const string MessageOfFailure = "The handler failed.";

    public abstract IMessage ParseRequest(byte flags, ReadOnlySequence<byte> payload, MessageEncoding encoding, int maxMessageBytes);

    public abstract ValueTask<IMessage> HandleAsync(IMessage request, UnaryCall call);
}

internal sealed class UnaryRoute<TRequest, TReply>(
    UnaryMethod<TRequest, TReply> method,
    Func<TRequest, UnaryCall, ValueTask<TReply>> handler) : UnaryRoute
    where TRequest : class, IMessage<TRequest>, new()
    where TReply : class, IMessage<TReply>, new()
{
    public override IMessage ParseRequest(
        byte flags, ReadOnlySequence<byte> payload, MessageEncoding encoding, int maxMessageBytes) =>
        MessageFrame.Parse(method.RequestParser, flags, payload, encoding, maxMessageBytes);

    public override ValueTask<IMessage> HandleAsync(IMessage request, UnaryCall call)
    {
        ValueTask<TReply> reply = handler((TRequest)request, call);
        // Most warm calls are answered at once; they need no state machine.
        return reply.IsCompletedSuccessfully ? new ValueTask<IMessage>(NotNull(reply.Result)) : Await(reply);
    }

    private static async ValueTask<IMessage> Await(ValueTask<TReply> reply) => NotNull(await reply.ConfigureAwait(false));

    private static TReply NotNull(TReply? reply) => reply ?? throw new InvalidOperationException("The handler returned no reply.");
}
