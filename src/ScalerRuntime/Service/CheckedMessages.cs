using Google.Protobuf;
using Grpc.Core;

namespace FuncScaler.Runtime.Service;

/// <summary>Binds a service so that a frame which is no message is answered as the caller's mistake. The library takes it for a fault of the service.</summary>
public static class CheckedMessages
{
    /// <summary>Binds the contract's Scaler service.</summary>
    public static void BindScaler(ServiceBinderBase binder, Contract.Scaler.ScalerBase? service) => Contract.Scaler.BindService(new Binder(binder), service);

    /// <summary>Binds the Scheduler service of the 2020 contest.</summary>
    public static void BindScheduler(ServiceBinderBase binder, Contract.Scheduling.Scheduler.SchedulerBase? service) =>
        Contract.Scheduling.Scheduler.BindService(new Binder(binder), service);

    private static T Read<T>(Marshaller<T> marshaller, DeserializationContext context)
    {
        try
        {
            return marshaller.ContextualDeserializer(context);
        }
        catch (InvalidProtocolBufferException)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"The frame is no {typeof(T).Name}: send it in protobuf's binary form, as the .proto file has it."));
        }
    }

    private sealed class Binder(ServiceBinderBase inner) : ServiceBinderBase
    {
        public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, UnaryServerMethod<TRequest, TResponse>? handler) => inner.AddMethod(
            new Method<TRequest, TResponse>(
                method.Type,
                method.ServiceName,
                method.Name,
                new Marshaller<TRequest>(method.RequestMarshaller.ContextualSerializer, context => Read(method.RequestMarshaller, context)),
                method.ResponseMarshaller),
            handler);
    }
}
