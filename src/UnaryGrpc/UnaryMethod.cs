using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace FuncScaler.UnaryGrpc;

/// <summary>One unary method of a service, with the types of its messages: what a route serves and a channel calls.</summary>
public sealed class UnaryMethod<TRequest, TReply>
    where TRequest : class, IMessage<TRequest>, new()
    where TReply : class, IMessage<TReply>, new()
{
    /// <exception cref="ArgumentException">The method streams, or its messages are not the type arguments.</exception>
    public UnaryMethod(MethodDescriptor method)
    {
        ArgumentNullException.ThrowIfNull(method);
        if (method.IsClientStreaming || method.IsServerStreaming)
        {
            throw new ArgumentException($"{method.FullName} streams; only unary methods are supported.", nameof(method));
        }

        ThrowUnlessMatches<TRequest>(method, method.InputType, "takes");
        ThrowUnlessMatches<TReply>(method, method.OutputType, "returns");

        Service = method.Service.FullName;
        Name = method.Name;
        Path = $"/{Service}/{Name}";
        // The descriptors' own parsers: generated code makes messages without reflection.
        RequestParser = (MessageParser<TRequest>)method.InputType.Parser;
        ReplyParser = (MessageParser<TReply>)method.OutputType.Parser;
    }

    /// <summary>The full name of the service, with its package.</summary>
    public string Service { get; }

    public string Name { get; }

    /// <summary>The HTTP path: "/package.Service/Method".</summary>
    public string Path { get; }

    public MessageParser<TRequest> RequestParser { get; }

    public MessageParser<TReply> ReplyParser { get; }

    public override string ToString() => Path;

    private static void ThrowUnlessMatches<T>(MethodDescriptor method, MessageDescriptor message, string verb)
    {
        if (message.ClrType != typeof(T))
        {
            throw new ArgumentException($"{method.FullName} {verb} {message.FullName}, not {typeof(T)}.", nameof(method));
        }
    }
}
